"""Hints by PostgreSQL's LISTEN and NOTIFY.

Each end has a connection of the host's engine for itself, out of its pool. A notification never
rides in a group's transaction: those commit one after the other in the whole server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from .bus import CHANNEL

if TYPE_CHECKING:
    from psycopg import Connection


class PostgresBus:
    """The database's own notifications, through psycopg 3."""

    name = "postgres"

    def __init__(self, engine: Engine):
        self._engine = engine

    def open_sender(self) -> PostgresEnd:
        """Connect for sending."""

        return PostgresEnd(self._engine)

    def open_listener(self) -> PostgresEnd:
        """Connect and listen."""

        end = PostgresEnd(self._engine)
        end.listen()

        return end


class PostgresEnd:
    """One connection, to send or to listen by."""

    def __init__(self, engine: Engine):
        pooled = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        pooled.detach()
        self._pooled = pooled
        self._driver: Connection[Any] = pooled.connection.dbapi_connection  # type: ignore[assignment]

    def listen(self) -> None:
        """Have what is sent delivered here."""

        self._driver.execute(f"LISTEN {CHANNEL}")

    def send(self, text: str) -> None:
        """Notify all who listen; the server takes up to 7,999 bytes."""

        self._driver.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))

    def receive(self, seconds: float) -> list[str]:
        """What has come, after the first of it or when the time is over."""

        return [n.payload for n in self._driver.notifies(timeout=seconds, stop_after=1)]

    def close(self) -> None:
        """Let the connection go."""

        self._pooled.close()
