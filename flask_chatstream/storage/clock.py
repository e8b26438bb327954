"""The database's clock: leases and times never come from a worker's own (F47)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session


def now(connection: Connection | Session) -> datetime:
    """The moment as the database sees it, aware, in UTC.

    An SQLite file has no clock but the machine's, which all of its users share.
    """

    dialect = _dialect(connection)

    if dialect == "sqlite":
        return datetime.now(UTC)

    if dialect == "postgresql":
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()

        return moment.astimezone(UTC)

    naive: datetime = connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one()

    return naive.replace(tzinfo=UTC)


def _dialect(connection: Connection | Session) -> str:
    if isinstance(connection, Session):
        return connection.get_bind().dialect.name

    return connection.dialect.name
