"""The one end of a generation (``docs/states.md``, 3.4 and 3.5).

Every function here is a transaction of its own: it takes a connection and values, and gives
values. Whoever calls it wakes the followers afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from flask_chatstream.models import ACTIVE, Conversation, Generation, Message
from flask_chatstream.storage import now

from .fold import take_chunks
from .totals import add_up


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a runner, a person or the sweep wants an end to store."""

    status: str
    error_code: str | None = None
    finish_reason: str | None = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """The state that holds after an end was tried; ``won`` says whether this try made it.

    ``text`` is what this end folded into the message behind ``base_offset``, ``version`` the
    conversation's after it.
    """

    won: bool
    generation_id: int
    conversation_id: str
    message_id: str
    status: str
    error_code: str | None
    base_offset: int = 0
    text: str = ""
    version: int | None = None


#: Ends that nobody but the runner stores.
_RUNNERS_OWN = ("completed", "error")
_PLACE = select(Generation.conversation_id).where(Generation.id == bindparam("generation"))
_LOCK_CONVERSATION = (
    select(Conversation.version)
    .where(Conversation.id == bindparam("conversation"))
    .with_for_update()
)
_LOCK_GENERATION = (
    select(
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
    .where(Generation.id == bindparam("generation"))
    .with_for_update()
)
_OWNED = (
    select(Message.conversation_id, Conversation.owner)
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(
        Message.id == bindparam("message"),
        Conversation.owner == bindparam("owner"),
        Conversation.mount == bindparam("mount"),
    )
)
_NEWEST = select(func.max(Generation.id)).where(Generation.message_id == bindparam("message"))
_STATE = select(Message.status, Message.error_code).where(Message.id == bindparam("message"))
_END_GENERATION = update(Generation).where(Generation.id == bindparam("generation"))
_END_MESSAGE = (
    update(Message)
    .where(Message.id == bindparam("message"))
    .values(
        content=Message.content + bindparam("text"),
        status=bindparam("public_status"),
        model=bindparam("answered_by"),
        version=bindparam("next_version"),
        updated_at=bindparam("moment"),
        reasoning=bindparam("thoughts"),
        error_code=bindparam("code"),
        finish_reason=bindparam("reason"),
        input_tokens=bindparam("tokens_in"),
        output_tokens=bindparam("tokens_out"),
        usage=bindparam("spent"),
        html=None,
        html_version=None,
    )
)
_COUNT = (
    update(Conversation)
    .where(Conversation.id == bindparam("conversation"))
    .values(
        version=bindparam("next_version"),
        updated_at=bindparam("moment"),
        last_message_at=bindparam("moment"),
        total_tokens=Conversation.total_tokens + bindparam("tokens"),
    )
)


def end(
    connection: Connection,
    generation_id: int,
    outcome: Outcome,
    *,
    epoch: int | None = None,
    chunk_ids: Sequence[int] = (),
    orphaned: Callable[[Row[Any], datetime], bool] | None = None,
) -> Ended | None:
    """End a generation and fold its journal into the message, if nobody has ended it before.

    With ``epoch`` only for that claim; with ``orphaned`` only if that still says so of the locked
    row and the database's time. ``chunk_ids`` are the journal's row ids as its writer knows them,
    which saves a search. None when the generation is gone.
    """

    conversation_id = connection.scalar(_PLACE, {"generation": generation_id})
    version = connection.scalar(_LOCK_CONVERSATION, {"conversation": conversation_id})
    row: Any = connection.execute(_LOCK_GENERATION, {"generation": generation_id}).one_or_none()

    if row is None or version is None:
        return None

    lost = row.status not in ACTIVE or epoch not in (None, row.epoch)

    # Its commit's answer was lost, and the runner tries again.
    if epoch == row.epoch and row.status == outcome.status in _RUNNERS_OWN:
        return _ended(row, row.status, row.error_code, won=True)

    if lost or (orphaned is not None and not orphaned(row, now(connection))):
        return _ended(row, row.status, row.error_code, won=False)

    texts = take_chunks(connection, row.id, row.first_chunk, chunk_ids)
    _store_end(connection, row, outcome, version + 1, texts)

    ended = _ended(row, outcome.status, outcome.error_code, won=True, text="".join(texts))

    return replace(ended, version=version + 1)


def end_message(
    connection: Connection, owner: str, mount: str, message_id: str, outcome: Outcome
) -> Ended | None:
    """End whatever generation writes this owner's message; the message's state if none does.

    None when the message does not exist or is somebody else's.
    """

    found = connection.execute(
        _OWNED, {"message": message_id, "owner": owner, "mount": mount}
    ).one_or_none()

    if found is None or found.owner != owner:
        return None

    connection.scalar(_LOCK_CONVERSATION, {"conversation": found.conversation_id})
    newest = connection.scalar(_NEWEST, {"message": message_id})

    if newest is not None:
        return end(connection, newest, outcome)

    status, code = connection.execute(_STATE, {"message": message_id}).one()

    return Ended(False, 0, found.conversation_id, message_id, status, code)


def _ended(row: Row[Any], status: str, code: str | None, *, won: bool, text: str = "") -> Ended:
    ids = (row.id, row.conversation_id, row.message_id)

    return Ended(won, *ids, public_status(status), code, row.base_offset, text)


def public_status(status: str) -> str:
    """A message's status for a generation's end."""

    return "error" if status == "interrupted" else status


def _store_end(
    connection: Connection, row: Row[Any], outcome: Outcome, version: int, texts: Sequence[str]
) -> None:
    moment = now(connection)
    found = outcome.values
    totals = add_up(connection, row.message_id, found) if row.base_offset else found
    text = "".join(texts)
    generation = {
        "status": outcome.status,
        "ended_at": moment,
        "chunk_count": len(texts),
        "char_count": len(text),
        "error_code": outcome.error_code,
        "finish_reason": outcome.finish_reason,
        **{key: value for key, value in found.items() if key != "reasoning"},
    }
    connection.execute(_END_GENERATION, {"generation": row.id, **generation})
    message = {
        "message": row.message_id,
        "text": text,
        "public_status": public_status(outcome.status),
        "answered_by": found.get("model") or row.model,
        "next_version": version,
        "moment": moment,
        "thoughts": totals.get("reasoning"),
        "code": outcome.error_code,
        "reason": outcome.finish_reason,
        "tokens_in": totals.get("input_tokens"),
        "tokens_out": totals.get("output_tokens"),
        "spent": totals.get("usage"),
    }
    connection.execute(_END_MESSAGE, message)
    spent = (found.get("input_tokens") or 0) + (found.get("output_tokens") or 0)
    conversation = {
        "conversation": row.conversation_id,
        "next_version": version,
        "moment": moment,
        "tokens": spent,
    }
    connection.execute(_COUNT, conversation)
