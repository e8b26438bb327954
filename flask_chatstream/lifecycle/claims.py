"""Claiming a generation and holding its lease (``docs/states.md``, 3.2 and 3.6).

Every function is a transaction of its own: it takes a connection and values, and gives values.
Statements are built once: building one costs several times what running it does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from sqlalchemy import Connection, Update, bindparam, func, select, update

from flask_chatstream.models import Generation, is_appended, journal_for
from flask_chatstream.storage import moment_in, moments, now


@dataclass(frozen=True, slots=True)
class Claimed:
    """A generation that is ours now."""

    generation_id: int
    epoch: int
    conversation_id: str
    message_id: str
    base_offset: int
    mount: str
    request_id: str | None

    @property
    def ids(self) -> dict[str, object]:
        """By which a failure is found again, in the log and in the database."""

        return {
            "generation_id": self.generation_id,
            "conversation_id": self.conversation_id,
            "message_id": self.message_id,
            "mount": self.mount,
            "request_id": self.request_id,
        }


_CLAIMED = (
    Generation.id,
    Generation.epoch,
    Generation.conversation_id,
    Generation.message_id,
    Generation.base_offset,
    Generation.mount,
    Generation.request_id,
)
_READ = select(*_CLAIMED).where(Generation.id == bindparam("generation"))
_MINE = (
    select(Generation.id)
    .where(
        Generation.id.in_(bindparam("ids", expanding=True)),
        Generation.worker == bindparam("mine"),
        Generation.status == "running",
    )
    .order_by(Generation.id)
    .with_for_update(skip_locked=True)
)
_RENEW = (
    update(Generation)
    .where(Generation.id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=bindparam("until"))
)
_WATCHED = select(Generation.id, Generation.epoch).where(
    Generation.id.in_(bindparam("ids", expanding=True)), Generation.status == "running"
)


def claim(connection: Connection, generation_id: int, worker: str, lease: float) -> Claimed | None:
    """Take a queued generation; None when somebody else has it or it has ended."""

    dialect = connection.dialect
    ours = {"generation": generation_id, "mine": worker}
    values = {**ours, **moments(connection, until=lease)}
    taken = connection.execute(_claim(dialect.name, dialect.update_returning), values)

    if dialect.update_returning:
        row = taken.one_or_none()
    else:
        row = connection.execute(_READ, ours).one() if taken.rowcount == 1 else None

    return None if row is None else Claimed(*row)


@cache
def _claim(dialect: str, returns: bool) -> Update:
    statement = (
        update(Generation)
        .where(Generation.id == bindparam("generation"), Generation.status == "queued")
        .values(
            status="running",
            epoch=Generation.epoch + 1,
            worker=bindparam("mine"),
            started_at=moment_in(dialect),
            lease_until=moment_in(dialect, "until"),
        )
    )

    if is_appended(dialect):
        newest = select(func.coalesce(func.max(journal_for(dialect).c.id), 0))
        statement = statement.values(first_chunk=newest.scalar_subquery())

    return statement.returning(*_CLAIMED) if returns else statement


def renew(connection: Connection, ids: Collection[int], worker: str, lease: float) -> int:
    """Hold the leases of generations whose runner is alive in this process; how many were held.

    Those that somebody has locked, a group for instance, are passed over, so that no cycle can
    form; ask again soon.
    """

    mine = connection.scalars(_MINE, {"ids": list(ids), "mine": worker}).all()
    until = now(connection) + timedelta(seconds=lease)
    connection.execute(_RENEW, {"ids": list(mine), "until": until})

    return len(mine)


def watched(connection: Connection, ids: Collection[int]) -> dict[int, int]:
    """The epochs of those generations that are still running."""

    rows = connection.execute(_WATCHED, {"ids": list(ids)})

    return {row.id: row.epoch for row in rows}
