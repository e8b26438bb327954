"""Revocations: a row for every owner whose followers were sent away (``docs/states.md``, 3.12)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.orm import Session

from flask_chatstream.models import Revocation
from flask_chatstream.storage import now


def store_revocation(connection: Connection, owner: str) -> datetime:
    """Note that whoever follows this owner's chats is to come back and show who they are.

    Raises ``IntegrityError`` when the same is being noted elsewhere at this moment.
    """

    moment = now(connection)
    again = update(Revocation).where(Revocation.owner == owner).values(at=moment)

    if connection.execute(again).rowcount == 0:
        connection.execute(insert(Revocation).values(owner=owner, at=moment))

    return moment


def read_revocations(session: Session, since: datetime) -> dict[str, datetime]:
    """The owners whose followers were sent away since a moment, and when."""

    rows = session.execute(select(Revocation.owner, Revocation.at).where(Revocation.at > since))

    return {row.owner: row.at for row in rows}
