"""Engines on every kind of database, what is in them, and processes that start together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.forked import run_forked

#: Every database that a host may have; a fresh one is the fixture ``<kind>_url``.
KINDS = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.db),
    pytest.param("mariadb", marks=pytest.mark.db),
]


def open_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The body of a fixture with ``params=KINDS``: an engine on a fresh database."""

    engine = create_engine(request.getfixturevalue(f"{request.param}_url"))

    yield engine

    engine.dispose()


def address(engine: Engine) -> str:
    """The engine's URL for another process."""

    return engine.url.render_as_string(hide_password=False)


def describe(engine: Engine) -> list[str]:
    """Every table, column, index and constraint, as the database itself writes them down.

    Constraints have no order in a table.
    """

    with engine.connect() as connection:
        return sorted(_sorted_lines(text) for text in _DESCRIBE[engine.dialect.name](connection))


def end_connections(url: str) -> None:
    """End every other connection to this server's database, whatever it is doing."""

    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"{_END} pg_stat_activity WHERE {_OTHERS}"))
        else:
            _kill(connection)

    engine.dispose()


_END = "SELECT pg_terminate_backend(pid) FROM"
_OTHERS = "datname = current_database() AND pid <> pg_backend_pid()"
_THREADS = "SELECT id FROM information_schema.processlist WHERE db = DATABASE()"


def _kill(connection: Connection) -> None:
    for id in connection.scalars(text(f"{_THREADS} AND id <> CONNECTION_ID()")).all():
        with suppress(OperationalError):  # it has ended by itself
            connection.execute(text(f"KILL {id}"))


def run_together(source: str, *arguments: str, count: int = 4) -> list[str]:
    """Start processes that run a piece of Python at once; what those that failed wrote."""

    prelude = "import sys, flask_chatstream.migrate\n"

    return run_forked("-c", prelude + source, *arguments, count=count)


def _sorted_lines(statement: str) -> str:
    return "\n".join(sorted(line.strip(" \t,") for line in statement.splitlines()))


def _describe_sqlite(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")))


def _describe_postgresql(connection: Connection) -> list[str]:
    found: list[str] = []

    for query in (
        "SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length,"
        " numeric_precision, numeric_scale, is_nullable, column_default, ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    ):
        found += connection.scalars(text(query))

    return found


def _describe_mariadb(connection: Connection) -> list[str]:
    tables = connection.scalars(text("SHOW TABLES")).all()

    return [connection.execute(text(f"SHOW CREATE TABLE {table}")).one()[1] for table in tables]


_DESCRIBE = {
    "mysql": _describe_mariadb,
    "postgresql": _describe_postgresql,
    "sqlite": _describe_sqlite,
}
