"""The chat's database: which it is, whether it answers, and what stands before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from flask_chatstream.errors import SchemaError
from flask_chatstream.migrate.servers import refuse_server
from flask_chatstream.storage.engine import find_file, is_temporary

from .finding import Finding, failure, ok, warning

POOLED = "between the chat and PostgreSQL stands a pooler (PgBouncer, for example)"


def check_place(engine: Engine, *, automatic: bool) -> Iterator[Finding]:
    """Whether the database answers and can hold the chat.

    ``automatic`` says that the first chat request makes what is missing.
    """

    if is_temporary(engine):
        yield warning(
            "The site's database is in memory: the chat keeps its rows in a temporary file of each "
            "process, which goes with it.",
            "Give the chat a database that stays: CHATSTREAM_DATABASE_URI.",
        )
        return

    path = find_file(engine)

    if path is not None and not path.is_file():
        yield _missing(path, automatic=automatic)
        return

    yield from _ask(engine)


def _missing(path: Path, *, automatic: bool) -> Finding:
    if automatic:
        return warning(f"There is no file {path} yet.", "The first chat request makes it.")

    return failure(f"There is no file {path}.", "Run `flask chatstream db upgrade`.")


def _ask(engine: Engine) -> Iterator[Finding]:
    began = time.monotonic()

    try:
        with engine.connect() as connection:
            refuse_server(connection)
            took = time.monotonic() - began
            yield ok(f"{name_of(connection)} answers after {took * 1000:.0f} ms.")

            if is_pooled(connection):
                yield warning(
                    f"It seems that {POOLED}.",
                    "In transaction mode a setting of a session goes to whoever has the connection "
                    "next, and LISTEN delivers nothing: see the checks below. Give the chat "
                    "a direct way with CHATSTREAM_DATABASE_URI.",
                )
    except SchemaError as error:
        yield failure(str(error), "Use one of these.")
    except SQLAlchemyError as error:
        yield failure(
            f"The database does not answer: {type(getattr(error, 'orig', error)).__name__}.",
            "Is it running, and does this machine reach it with the address of the app?",
        )


def name_of(connection: Connection) -> str:
    """The database's kind and version, for people."""

    dialect: Any = connection.dialect
    version = ".".join(map(str, dialect.server_version_info or ()))
    is_mariadb = getattr(dialect, "is_mariadb", False)
    names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

    return f"{'MariaDB' if is_mariadb else names.get(dialect.name, dialect.name)} {version}"


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler stands before PostgreSQL.

    It tells its clients a process id of its own at their start (libpq's ``PQbackendPID``).
    """

    info = getattr(connection.connection.dbapi_connection, "info", None)
    told = getattr(info, "backend_pid", None)

    if connection.dialect.name != "postgresql" or told is None:
        return False

    return bool(connection.scalar(text("SELECT pg_backend_pid()")) != told)


def find_column(engine: Engine, *, owned: bool) -> str:
    """The column of ``docs/deploying.md``'s table in which the database is.

    ``owned`` says that the package made the engine.
    """

    if is_temporary(engine):
        return "in memory"

    if engine.dialect.name != "sqlite":
        return "PostgreSQL" if engine.dialect.name == "postgresql" else "MariaDB"

    if owned:
        return "embedded"

    path = find_file(engine)

    if path is None or not path.is_file():  # a look would make it
        return "SQLite, no WAL"

    with engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()

    return "SQLite, WAL" if mode == "wal" else "SQLite, no WAL"
