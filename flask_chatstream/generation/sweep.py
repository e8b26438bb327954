"""Settling generations whose worker is gone (``docs/states.md``, 3.7)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_chatstream.models import ACTIVE, Generation
from flask_chatstream.storage import Database, now

from .ends import Ended, Outcome, end
from .identity import is_known_dead

logger = logging.getLogger(__name__)

INTERRUPTED = Outcome("interrupted", error_code="interrupted")


@dataclass(frozen=True, slots=True)
class OrphanRule:
    """When a generation counts as an orphan.

    ``by_time`` False trusts no expired lease: after a time without the database everybody's lease
    is over, and those who live must be able to renew first.
    """

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


def sweep(
    database: Database, is_orphan: OrphanRule, conversation_id: str | None = None
) -> list[Ended]:
    """End every orphaned generation, of one conversation or of all; those that this call ended."""

    with database.read() as session:
        candidates = _find(session, is_orphan, conversation_id)

    ended = []

    for id in candidates:
        outcome = database.write(end, id, INTERRUPTED, orphaned=is_orphan)

        if outcome is not None and outcome.won:
            logger.warning("Generation %d was interrupted: its worker is gone.", id)
            ended.append(outcome)

    return ended


def _find(session: Session, is_orphan: OrphanRule, conversation_id: str | None) -> list[int]:
    active = select(
        Generation.id,
        Generation.worker,
        Generation.lease_until,
        Generation.created_at,
    ).where(Generation.status.in_(ACTIVE))

    if conversation_id is not None:
        active = active.where(Generation.conversation_id == conversation_id)

    rows = session.execute(active).all()

    if not rows:
        return []

    moment = now(session)

    return [row.id for row in rows if is_orphan(row, moment)]


def unclaimed(session: Session, worker: str) -> list[int]:
    """Generations that this process stored and was to claim, but has not."""

    return list(
        session.scalars(
            select(Generation.id).where(Generation.status == "queued", Generation.worker == worker)
        )
    )
