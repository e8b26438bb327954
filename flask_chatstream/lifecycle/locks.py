"""The locks of an end: the conversation, then the generation (``docs/states.md``, 3.4)."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, bindparam, select

from flask_chatstream.models import Conversation, Generation
from flask_chatstream.storage import moment_in, now


class Locked(NamedTuple):
    """A generation that this transaction has locked, behind its conversation.

    ``version``, ``owner`` and ``mount`` are the conversation's, ``moment`` the database's time.
    """

    id: int
    conversation_id: str
    message_id: str
    status: str
    error_code: str | None
    epoch: int
    worker: str | None
    lease_until: datetime | None
    watched_at: datetime | None
    created_at: datetime
    base_offset: int
    first_chunk: int
    model: str | None
    version: int
    owner: str
    mount: str
    moment: datetime


_IS_MINE = Generation.id == bindparam("generation")
_GENERATION = (
    Generation.id,
    Generation.conversation_id,
    Generation.message_id,
    Generation.status,
    Generation.error_code,
    Generation.epoch,
    Generation.worker,
    Generation.lease_until,
    Generation.watched_at,
    Generation.created_at,
    Generation.base_offset,
    Generation.first_chunk,
    Generation.model,
)
_place = select(Generation.conversation_id).where(_IS_MINE).scalar_subquery()
_CONVERSATION = (
    select(Conversation.id, Conversation.version, Conversation.owner, Conversation.mount)
    .where(Conversation.id == _place)
    .with_for_update()
)
_BY_ID = (
    select(Conversation.id).where(Conversation.id == bindparam("conversation")).with_for_update()
)
_LOCK = select(*_GENERATION).where(_IS_MINE).with_for_update()


def lock(connection: Connection, generation_id: int) -> Locked | None:
    """Lock a generation's conversation, then itself; None when either is gone."""

    values = {"generation": generation_id}

    if connection.dialect.name == "postgresql":
        found: Any = connection.execute(_lock_both(), values).one_or_none()

        return None if found is None else Locked(*found)

    place: Any = connection.execute(_CONVERSATION, values).one_or_none()
    row: Any = None if place is None else connection.execute(_LOCK, values).one_or_none()

    return None if row is None else Locked(*(*row, *place[1:], now(connection)))


@cache
def _lock_both() -> Executable:
    """One statement for both, in this order: the second is found by what the first has locked.

    A row that was waited for is read again behind its lock.
    """

    place = _CONVERSATION.cte("place")
    return (
        select(
            *_GENERATION,
            place.c.version,
            place.c.owner,
            place.c.mount,
            moment_in("postgresql"),
        )
        .join_from(place, Generation, Generation.conversation_id == place.c.id)
        .where(_IS_MINE)
        .with_for_update(of=Generation)
    )


def lock_conversation(connection: Connection, conversation_id: str) -> None:
    """Lock a conversation alone."""

    connection.execute(_BY_ID, {"conversation": conversation_id})
