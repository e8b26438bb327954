"""Which databases can hold our tables; said before any is made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from flask_chatstream.errors import SchemaError

#: The oldest version of each: MariaDB's ``SKIP LOCKED``, PostgreSQL's ``MATERIALIZED``.
OLDEST = {"MariaDB": (10, 6), "PostgreSQL": (12,), "SQLite": (3, 24)}
_NAMES = {"mariadb": "MariaDB", "mysql": "MySQL", "postgresql": "PostgreSQL", "sqlite": "SQLite"}


def refuse_server(connection: Connection) -> None:
    """Raise `SchemaError` when a connection's database is none that the package supports."""

    dialect: Any = connection.dialect
    name = "MariaDB" if getattr(dialect, "is_mariadb", False) else _NAMES.get(dialect.name)

    check_server(name or dialect.name, dialect.server_version_info or ())


def check_server(name: str, version: tuple[int, ...]) -> None:
    """Raise `SchemaError` unless a database of this name and version can hold our tables."""

    if name in OLDEST and version >= OLDEST[name]:
        return

    supported = ", ".join(f"{name} {_dotted(oldest)}" for name, oldest in OLDEST.items())

    raise SchemaError(
        f"The chat cannot keep its tables in {name} {_dotted(version)}. It needs one of these, or "
        f"newer: {supported}. CHATSTREAM_DATABASE_URI gives it a database of its own."
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
