"""Turning an SQLite file to a write-ahead log, which stays in the file: only when a site asks."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from flask_chatstream.errors import ConfigurationError, StorageUnavailable

from .engine import find_file, is_temporary

#: How long another process's lock is waited for, in milliseconds.
WAIT_MS = 2_000


def turn_to_wal(engine: Engine) -> tuple[Path, bool]:
    """Put an engine's SQLite file into WAL mode: the file, and whether it had another mode before.

    Raises `ConfigurationError` for a database that has no such mode, `StorageUnavailable` when
    another process holds the file or it may not be written.
    """

    path = _find_file(engine)

    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {WAIT_MS}")
            connection.detach()  # the pool's connections keep the site's own waiting time
            changed = _turn(connection, path)
    except DBAPIError as error:
        raise StorageUnavailable(_explain(path, error)) from error

    return path, changed


def _find_file(engine: Engine) -> Path:
    name = engine.dialect.name

    if name != "sqlite":
        raise ConfigurationError(
            f"The chat's rows are in {name}, which writes a log ahead by itself: WAL mode is a "
            "setting of SQLite files only, and there is nothing to do."
        )

    path = find_file(engine)

    if path is None or is_temporary(engine):
        raise ConfigurationError(
            "The site's database is in memory, so the chat's rows end with the process: there is "
            "no file to turn to WAL."
        )

    if not path.is_file():
        raise ConfigurationError(
            f"There is no file {path} yet. Run `flask chatstream db upgrade` first."
        )

    return path


def _turn(connection: Connection, path: Path) -> bool:
    if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("COMMIT")  # a host's "begin" listener starts one by itself

    before = connection.exec_driver_sql("PRAGMA journal_mode").scalar()

    if before == "wal":
        return False

    after = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar()

    if after != "wal":
        raise ConfigurationError(
            f"SQLite left {path} in the mode {after!r}: its folder cannot hold a WAL, as on some "
            "network drives."
        )

    return True


def _explain(path: Path, error: DBAPIError) -> str:
    words = str(error.orig)

    if "locked" in words or "busy" in words:
        return (
            f"Another process is using {path} just now, so its mode cannot change. Stop the site, "
            "or try again when nobody reads or writes; nothing was changed."
        )

    return f"{path} could not be changed: {words}."
