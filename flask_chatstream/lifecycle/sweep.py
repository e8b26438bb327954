"""Settling generations whose worker is gone, or whose viewers are (``docs/states.md``, 3.7)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Protocol

from sqlalchemy import ColumnElement, Executable, Row, bindparam, select
from sqlalchemy.orm import Session

from flask_chatstream.failures import name_ids
from flask_chatstream.models import ACTIVE, Generation
from flask_chatstream.storage import Database, clock

from .ends import Ended, Outcome, end
from .identity import is_known_dead

logger = logging.getLogger(__name__)

INTERRUPTED = Outcome("interrupted", error_code="interrupted")
ABANDONED = Outcome("cancelled", error_code="abandoned")


class Rule(Protocol):
    """Which generations are to be ended, and how; ``why`` is for the log."""

    outcome: ClassVar[Outcome]
    why: ClassVar[str]

    def __call__(self, row: Any, moment: datetime) -> bool:
        """Whether a row is meant, at a moment of the database's clock."""


@dataclass(frozen=True, slots=True)
class OrphanRule:
    """When a generation counts as an orphan.

    ``by_time`` False trusts no expired lease: after a time without the database everybody's lease
    is over, and those who live must be able to renew first.
    """

    outcome: ClassVar = INTERRUPTED
    why: ClassVar = "its worker is gone"

    queue_timeout: float
    by_time: bool = True

    def __call__(self, row: Any, moment: datetime) -> bool:
        """Whether a row's worker is gone, at a moment of the database's clock."""

        if row.worker is not None and is_known_dead(row.worker):
            return True

        if row.lease_until is not None:
            return bool(self.by_time and row.lease_until <= moment)

        waited: timedelta = moment - row.created_at

        return waited.total_seconds() > self.queue_timeout


@dataclass(frozen=True, slots=True)
class AbandonRule:
    """When nobody watches a generation any more; one that the site's own code asked for is never
    meant, whoever has looked at it."""

    outcome: ClassVar = ABANDONED
    why: ClassVar = "nobody watches it"

    seconds: float

    def __call__(self, row: Any, moment: datetime) -> bool:
        """Whether nobody has for ``seconds``, at a moment of the database's clock."""

        if row.watched_at is None:
            return False

        unwatched: timedelta = moment - row.watched_at

        return unwatched.total_seconds() > self.seconds


def sweep(database: Database, rule: Rule, conversation_id: str | None = None) -> list[Ended]:
    """End every generation that is meant, of one conversation or of all; those that it ended."""

    return settle(database, rule, find_candidates(database, rule, conversation_id))


def settle(database: Database, rule: Rule, ids: Iterable[int]) -> list[Ended]:
    """End those of some generations that are meant under their lock; those that it ended."""

    ended = []

    for id in ids:
        outcome = database.write(end, id, rule.outcome, orphaned=rule)

        if outcome is not None and outcome.won:
            where = name_ids(
                generation_id=id,
                conversation_id=outcome.conversation_id,
                message_id=outcome.message_id,
            )
            logger.warning("Generation %d was ended: %s.", id, rule.why, extra=where)
            ended.append(outcome)

    return ended


def find_candidates(
    database: Database, rule: Rule, conversation_id: str | None = None
) -> list[int]:
    """The generations that are meant, of one conversation or of all."""

    with database.read() as session:
        return [row.id for row in find_active(session, conversation_id) if rule(row, row.moment)]


def find_active(session: Session, conversation_id: str | None = None) -> Sequence[Row[Any]]:
    """The active generations of one conversation or of all, with what a `Rule` looks at.

    ``moment`` is the time by the database's clock.
    """

    active = _active(session.get_bind().dialect.name, conversation_id is not None)

    return session.execute(active, {"conversation": conversation_id}).all()


@cache
def _active(dialect: str, is_one: bool) -> Executable:
    active = select(
        Generation.id,
        Generation.message_id,
        Generation.conversation_id,
        Generation.base_offset,
        Generation.worker,
        Generation.lease_until,
        Generation.watched_at,
        Generation.created_at,
        clock(dialect).label("moment"),
    ).where(Generation.status.in_(ACTIVE))

    return (
        active.where(Generation.conversation_id == bindparam("conversation")) if is_one else active
    )


def unclaimed(session: Session, worker: str) -> list[int]:
    """Generations that this process stored and was to claim, but has not."""

    return _queued(session, Generation.worker == worker)


def still_queued(session: Session, ids: Collection[int]) -> list[int]:
    """Those of some generations that nobody has claimed or ended."""

    return _queued(session, Generation.id.in_(ids))


def _queued(session: Session, which: ColumnElement[bool]) -> list[int]:
    return list(session.scalars(select(Generation.id).where(Generation.status == "queued", which)))
