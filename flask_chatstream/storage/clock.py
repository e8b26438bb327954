"""The database's clock: leases and times never come from a worker's own (F47)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    bindparam,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import Session

from flask_chatstream.models import UTCDateTime


def now(connection: Connection | Session) -> datetime:
    """The moment as the database sees it, aware, in UTC.

    An SQLite file has no clock but the machine's, which all of its users share.
    """

    dialect = _dialect(connection)

    if dialect == "sqlite":
        return datetime.now(UTC)

    if dialect == "postgresql":
        moment: datetime = connection.execute(_CLOCK).scalar_one()

        return moment.replace(tzinfo=UTC)

    naive: datetime = connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one()

    return naive.replace(tzinfo=UTC)


@cache
def moment_in(dialect: str, later: str | None = None) -> ColumnElement[datetime]:
    """The moment, or one so many seconds ``later``, as part of a statement.

    PostgreSQL's says it itself, which saves asking. Elsewhere it is a parameter, ``moment`` or of
    the later one's name. `moments` gives what either form takes.
    """

    if dialect != "postgresql":
        return bindparam(later or "moment", type_=UTCDateTime)

    if later is None:
        return type_coerce(_clock(), UTCDateTime)

    seconds = func.make_interval(0, 0, 0, 0, 0, 0, bindparam(later, type_=Double))

    return type_coerce(_clock() + seconds, UTCDateTime)


def moments(connection: Connection, **later: float | None) -> dict[str, Any]:
    """The parameters of a statement with `moment_in`: the later ones in seconds."""

    if connection.dialect.name == "postgresql":
        return later

    found = now(connection)
    ends = {name: None if s is None else found + timedelta(seconds=s) for name, s in later.items()}

    return {"moment": found, **ends}


@cache
def clock(dialect: str) -> ColumnElement[datetime]:
    """The moment as a column that a read gives back beside its rows."""

    if dialect == "sqlite":
        return bindparam("clock", callable_=lambda: datetime.now(UTC), type_=UTCDateTime())

    if dialect == "postgresql":
        return type_coerce(_clock(), UTCDateTime)

    return func.utc_timestamp(text("6"), type_=UTCDateTime())


def _clock() -> ColumnElement[Any]:
    return func.timezone("UTC", func.clock_timestamp())


_CLOCK = select(_clock())


def _dialect(connection: Connection | Session) -> str:
    if isinstance(connection, Session):
        return connection.get_bind().dialect.name

    return connection.dialect.name
