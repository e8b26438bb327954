"""One migration at a time: within a process, and between the processes that share a database.

Without a lock, four workers that start together break each other on every database.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from flask_chatstream.errors import StorageUnavailable

#: Of PostgreSQL's advisory locks, which every database numbers for itself.
_KEY = 0x63686174_73747265

#: MariaDB's locks are the server's, and their names end at 64 characters.
_NAME = "LEFT(CONCAT('chatstream:', DATABASE()), 64)"

_locks: dict[int, threading.Lock] = {}


def process_lock() -> threading.Lock:
    """The lock around Alembic, whose ``op`` and ``context`` belong to the whole process.

    Made at first use: not before gevent has patched, and anew after a fork.
    """

    return _locks.setdefault(os.getpid(), threading.Lock())


@contextmanager
def locked(engine: Engine, seconds: int) -> Iterator[Connection]:
    """The connection to migrate on, while no other process migrates this database.

    On SQLite and PostgreSQL all of it is one transaction. Waits up to ``seconds`` for the lock;
    raises `StorageUnavailable` when it cannot be had.
    """

    with _LOCKS.get(engine.dialect.name, _unlocked)(engine, seconds) as connection:
        yield connection


@contextmanager
def locked_within(connection: Connection) -> Iterator[None]:
    """The same lock on a connection of a host's, whose transaction goes on afterwards."""

    dialect = connection.dialect.name

    if dialect == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _KEY})
        yield
    elif dialect in ("mysql", "mariadb"):
        with _named(connection, 60):
            yield
    elif dialect == "sqlite" and not _in_transaction(connection):
        with _immediate(connection):
            yield
    else:
        yield


@contextmanager
def _unlocked(engine: Engine, seconds: int) -> Iterator[Connection]:
    with engine.begin() as connection:
        yield connection


@contextmanager
def _postgresql(engine: Engine, seconds: int) -> Iterator[Connection]:
    with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{seconds}s'"))

        with _refused():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _KEY})

        yield connection


@contextmanager
def _mariadb(engine: Engine, seconds: int) -> Iterator[Connection]:
    with engine.connect() as connection, _named(connection, seconds):
        yield connection
        connection.commit()


@contextmanager
def _named(connection: Connection, seconds: int) -> Iterator[None]:
    if not connection.scalar(text(f"SELECT GET_LOCK({_NAME}, {seconds})")):
        raise StorageUnavailable(f"{_REFUSED} another process holds the lock.")

    try:
        yield
    finally:
        if not connection.invalidated:
            connection.execute(text(f"DO RELEASE_LOCK({_NAME})"))


@contextmanager
def _sqlite(engine: Engine, seconds: int) -> Iterator[Connection]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SELECT 1")

        if _in_transaction(connection):  # a host's "begin" listener starts one by itself
            connection.exec_driver_sql("COMMIT")

        with (
            _pragma(connection, "busy_timeout", seconds * 1000),
            _pragma(connection, "foreign_keys", 0),  # a batch change drops and renames tables
            _immediate(connection),
        ):
            yield connection


@contextmanager
def _pragma(connection: Connection, name: str, value: int) -> Iterator[None]:
    before = connection.exec_driver_sql(f"PRAGMA {name}").scalar()
    connection.exec_driver_sql(f"PRAGMA {name} = {value}")

    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA {name} = {before}")


@contextmanager
def _immediate(connection: Connection) -> Iterator[None]:
    with _refused():
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        if _in_transaction(connection):
            connection.exec_driver_sql("ROLLBACK")
        raise


def _in_transaction(connection: Connection) -> bool:
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", False))


_REFUSED = "The chat's database could not be locked for a change of its tables:"


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StorageUnavailable(f"{_REFUSED} {error.orig}") from error


_LOCKS: dict[str, Callable[[Engine, int], AbstractContextManager[Connection]]] = {
    "mariadb": _mariadb,
    "mysql": _mariadb,
    "postgresql": _postgresql,
    "sqlite": _sqlite,
}
