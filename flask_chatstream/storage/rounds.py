"""A round of the writer: several tasks on its connection, each failing alone.

On SQLite they share one transaction and its commit; elsewhere every statement commits by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from flask_chatstream.concurrency import NativeThread
from flask_chatstream.errors import ChatStreamError

BUSY_MS = 5_000
#: What PostgreSQL's synchronous_commit is to be in the writer's transactions.
SYNCHRONOUS = {"FULL": "on", "NORMAL": "off"}
BEGIN = {"postgresql": ["START TRANSACTION ISOLATION LEVEL READ COMMITTED"]}
BEGIN_MARIADB = ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"]


class Task(Protocol):
    """Something to be written; each part runs once, in this order."""

    def prepare(self) -> int:
        """Take what is to be written; how many writes that is.

        Runs beside the event loop; must not block.
        """

    def execute(self, connection: Connection) -> None:
        """Write it. May run in a native thread; wakes nobody.

        On SQLite this happens inside the round's transaction; elsewhere every statement commits
        by itself.
        """

    def publish(self, error: Exception | None) -> None:
        """Tell everybody that it is committed, or with an error that nothing of it is."""


class Rounds:
    """Runs rounds on a connection of its own, which the first one opens.

    SQLite is C that blocks: its rounds run in a native thread beside the event loop. The drivers
    of server databases wait cooperatively. ``synchronous`` is SQLite's pragma for the connection;
    PostgreSQL gets what answers to it.
    """

    def __init__(self, engine: Engine, synchronous: str):
        self._engine = engine
        self._synchronous = synchronous
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._native = NativeThread() if self._is_sqlite else None
        self._connection: Connection | None = None

    def run(self, tasks: list[Task]) -> list[Exception | None]:
        """Execute the tasks; for each what went wrong, in their order."""

        if self._native is None:
            return self._execute(tasks)

        return self._native.run(self._execute, tasks)

    def close(self) -> None:
        """Close the connection, and let the thread go."""

        if self._native is None:
            self._disconnect()
        else:
            # The last connection of a SQLite file writes its log back, which may take long.
            self._native.run(self._disconnect)
            self._native.close()

    def abandon(self) -> None:
        """Close all without waiting: a round that was broken off may still be at work."""

        if self._native is None:
            self._disconnect()
        else:
            self._native.close(self._disconnect)

    def _execute(self, tasks: list[Task]) -> list[Exception | None]:
        try:
            execute = self._execute_together if self._is_sqlite else self._execute_apart

            return execute(self._connected(), tasks)
        except Exception as error:
            if not isinstance(error, ChatStreamError | IntegrityError):
                self._disconnect()

            return [error] * len(tasks)

    def _execute_together(
        self, connection: Connection, tasks: list[Task]
    ) -> list[Exception | None]:
        run = _saved if len(tasks) > 1 else _alone

        with immediate(connection):
            return [run(connection, task) for task in tasks]

    def _execute_apart(self, connection: Connection, tasks: list[Task]) -> list[Exception | None]:
        return [_tried(connection, task) for task in tasks]

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()

        return self._connection

    def _connect(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

        if self._is_sqlite:
            cursor = connection.connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            cursor.execute(f"PRAGMA synchronous = {self._synchronous}")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()

        if connection.dialect.name == "postgresql":
            wanted = _differing(connection, SYNCHRONOUS[self._synchronous])
            connection = connection.execution_options(chatstream_commit_level=wanted)
            connection.rollback()

        connection.detach()

        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None

        if connection is not None:
            with suppress(Exception):
                connection.close()


def commit_level(connection: Connection) -> str | None:
    """The synchronous_commit that a transaction on the writer's connection must set for itself.

    The session's own is left alone: behind a transaction pooler it is somebody else's next. None
    where the server's is what is wanted.
    """

    level: str | None = connection.get_execution_options().get("chatstream_commit_level")

    return level


def _differing(connection: Connection, wanted: str) -> str | None:
    """The wanted level, unless the server does that already, or more than ``on``."""

    found = connection.exec_driver_sql("SELECT current_setting('synchronous_commit')").scalar()
    is_enough = found == "off" if wanted == "off" else found not in ("off", "local")

    return None if is_enough else wanted


@contextmanager
def immediate(connection: Connection) -> Iterator[None]:
    """A transaction that takes SQLite's write lock at once.

    A transaction that reads first and writes later fails without waiting when somebody has
    committed in between (SQLITE_BUSY_SNAPSHOT, L1). A host's engine may begin one by a listener;
    that one is given back.
    """

    with connection.begin():
        if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("ROLLBACK")

        connection.exec_driver_sql("BEGIN IMMEDIATE")

        try:
            yield
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            with suppress(DBAPIError):
                connection.exec_driver_sql("ROLLBACK")
            raise


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """A transaction at READ COMMITTED on the writer's connection to a server."""

    for statement in BEGIN.get(connection.dialect.name, BEGIN_MARIADB):
        connection.exec_driver_sql(statement)

    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(DBAPIError):
            connection.exec_driver_sql("ROLLBACK")
        raise
    finally:
        connection.rollback()


def _alone(connection: Connection, task: Task) -> None:
    """Run a round's only task: its failure takes back the whole transaction."""

    task.execute(connection)


def _saved(connection: Connection, task: Task) -> Exception | None:
    """Run a task so that its failure takes back only its own part of the transaction."""

    connection.exec_driver_sql("SAVEPOINT task")
    error = _tried(connection, task)

    if error is not None:
        connection.exec_driver_sql("ROLLBACK TO task")

    connection.exec_driver_sql("RELEASE task")

    return error


def _tried(connection: Connection, task: Task) -> Exception | None:
    try:
        task.execute(connection)
    except Exception as error:
        if connection.invalidated:
            raise

        return error

    return None
