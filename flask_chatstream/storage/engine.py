"""Engines that the package makes for itself: the embedded file, and the one beside a host's memory.

Pragmas that stay in a file are set only here, never on a host's engine.
"""

from __future__ import annotations

import tempfile
import time
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

#: How long a reader waits for a writer's lock; readers of a WAL file do not wait at all.
BUSY_MS = 5_000
#: For how long a connection to PostgreSQL that was taken is not asked whether it still lives.
REST_SECONDS = 1.0
_TAKEN = "chatstream_taken"


def embedded_engine(instance_path: str | Path) -> Engine:
    """An engine on ``chatstream.sqlite3`` in the app's instance folder, in WAL mode."""

    folder = Path(instance_path)

    # The chat says so when it is asked; the site's own pages must not fail for it.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)

    return make_engine(f"sqlite:///{folder / 'chatstream.sqlite3'}")


def temporary_engine() -> Engine:
    """An engine on a private file that goes with the engine.

    For hosts whose own database is in memory: that is one connection for everybody, where our
    commit would commit the host's pending rows.
    """

    folder = tempfile.TemporaryDirectory(prefix="chatstream-")
    engine = make_engine(f"sqlite:///{folder.name}/chatstream.sqlite3")
    engine.update_execution_options(chatstream_temporary=True)
    weakref.finalize(engine, folder.cleanup)

    return engine


def make_engine(uri: str) -> Engine:
    """An engine of our own on any database; a SQLite file is put into WAL mode."""

    url, arguments = _apart(make_url(uri))
    pings = uri.startswith(("mysql", "mariadb"))
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=pings)

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)

    if engine.dialect.name == "postgresql":
        event.listen(engine, "checkout", partial(_check, engine.dialect))

    return engine


def _apart(url: URL) -> tuple[URL, dict[str, Any]]:
    """An address, and psycopg's ``prepare_threshold`` of it, which is to be a number or None."""

    given = url.query.get("prepare_threshold")

    if not isinstance(given, str) or url.get_driver_name() != "psycopg":
        return url, {}

    threshold = int(given) if given.isdecimal() else None

    return url.difference_update_query(["prepare_threshold"]), {"prepare_threshold": threshold}


def is_in_memory(engine: Engine) -> bool:
    """Whether an engine's rows live in one connection's memory."""

    if engine.dialect.name != "sqlite":
        return False

    name = engine.url.database

    return not name or ":memory:" in name or engine.url.query.get("mode") == "memory"


def find_file(engine: Engine) -> Path | None:
    """The file that holds an engine's rows; None for a server and for memory."""

    if engine.dialect.name != "sqlite" or is_in_memory(engine):
        return None

    return Path(str(engine.url.database).removeprefix("file:").partition("?")[0])


def is_temporary(engine: Engine) -> bool:
    """Whether an engine's file is one of `temporary_engine`."""

    return "chatstream_temporary" in engine.get_execution_options()


def _check(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    """Have a connection that has rested answer once, or replace all that do not any more.

    One that was taken a moment ago is held to live: asking it costs as much as most of our reads.
    What breaks off here gives it back; where it is given back, it would be lost to the pool.
    """

    now = time.monotonic()
    taken, record.info[_TAKEN] = record.info.get(_TAKEN, now), now

    if now - taken < REST_SECONDS:
        return

    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _prepare(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
