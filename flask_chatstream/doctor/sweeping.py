"""Whether somebody settles what dead workers have left, and removes what is old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from flask_chatstream.config import Settings
from flask_chatstream.models import Generation, Submission, is_appended, journal_for
from flask_chatstream.storage import Database, now

from .finding import Finding, failure, ok, warning

#: Keys stand for a day, and are then removed every ten minutes.
OLD = timedelta(days=2)
HELP = (
    "The workers do this in the background from their first chat request on. Open the chat once; "
    'if it stays so, the site\'s log says why ("background work").'
)


def check_sweep(database: Database, settings: Settings) -> Iterator[Finding]:
    """Answers that nobody writes and nobody has ended, and rows that nobody has removed."""

    with database.read() as session:
        moment = now(session)
        left = _count_left(session, settings, moment)
        yield _judge(left, moment)
        yield from _look_for_old(session, database, settings, moment)


def _judge(left: tuple[int, datetime | None], moment: datetime) -> Finding:
    count, since = left

    if count == 0 or since is None:
        return ok("No answer waits for a worker that is gone.")

    return failure(
        f"Answers whose worker is gone, and that nobody has settled: {count}, the oldest for "
        f"{(moment - since).total_seconds():.0f} s. Their readers see them being written.",
        HELP,
    )


def _count_left(
    session: Session, settings: Settings, moment: datetime
) -> tuple[int, datetime | None]:
    """How many answers should have been swept, and since when the oldest.

    A sweeper waits a third of a lease before it trusts the time, and then comes around.
    """

    grace = timedelta(seconds=settings.lease_seconds + 2 * settings.sweep_seconds)
    waited = timedelta(seconds=settings.queue_timeout) + grace
    is_over = (Generation.status.in_(("queued", "running"))) & (
        Generation.lease_until < moment - grace
    )
    is_late = (
        (Generation.status == "queued")
        & Generation.lease_until.is_(None)
        & (Generation.created_at < moment - waited)
    )
    since = func.min(func.coalesce(Generation.lease_until, Generation.created_at))
    count, oldest = session.execute(select(func.count(), since).where(or_(is_over, is_late))).one()

    return count, oldest


def _look_for_old(
    session: Session, database: Database, settings: Settings, moment: datetime
) -> Iterator[Finding]:
    keys = session.scalar(
        select(func.count()).select_from(Submission).where(Submission.created_at < moment - OLD)
    )

    if keys:
        yield warning(f"Idempotency keys that are older than a day: {keys}.", HELP)

    if is_appended(database.dialect) and _has_old_journal(session, settings):
        yield warning("The journal holds rows of answers that have ended long ago.", HELP)


def _has_old_journal(session: Session, settings: Settings) -> bool:
    """Whether the journal's front is older than any answer that may still be written."""

    journal = journal_for("sqlite")
    first = session.scalar(select(journal.c.at).order_by(journal.c.id).limit(1))
    longest = settings.total_timeout + settings.lease_seconds + 60

    return first is not None and first / 1e6 < time.time() - longest
