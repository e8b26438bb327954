"""Removing what is kept for a while only."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.orm import Session

from flask_chatstream.models import Revocation, Submission
from flask_chatstream.storage import now

#: How long a key stands for its submit.
KEYS_LAST = timedelta(days=1)
#: Longer than anybody follows without being asked again who he is.
REVOCATIONS_LAST = timedelta(hours=1)
#: Rows of one transaction: text that is being written waits for no more.
BATCH = 500


def expire(connection: Connection) -> bool:
    """Remove old keys and revocations, a batch at a time; whether there may be more."""

    moment = now(connection)
    connection.execute(delete(Revocation).where(Revocation.at < moment - REVOCATIONS_LAST))
    old = Submission.created_at < moment - KEYS_LAST
    batch = connection.scalars(
        select(Submission.created_at).where(old).order_by(Submission.created_at).limit(BATCH)
    ).all()

    if batch:
        connection.execute(delete(Submission).where(Submission.created_at <= batch[-1]))

    return len(batch) == BATCH


def count_expired(session: Session) -> int:
    """How many rows `expire` would remove in all."""

    moment = now(session)
    keys = select(func.count()).where(Submission.created_at < moment - KEYS_LAST)
    revocations = select(func.count()).where(Revocation.at < moment - REVOCATIONS_LAST)

    return (session.scalar(keys) or 0) + (session.scalar(revocations) or 0)
