"""The one end of a generation (``docs/states.md``, 3.4 and 3.5).

Every function here is a transaction of its own: it takes a connection and values, and gives
values. Whoever calls it wakes the followers afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from flask_chatstream.models import ACTIVE, Conversation, Generation, Message

from .fold import fold
from .locks import Locked, lock, lock_conversation
from .totals import add_up


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a runner, a person or the sweep wants an end to store."""

    status: str
    error_code: str | None = None
    finish_reason: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    #: When the first text came, on this process's monotonic clock.
    first_token: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The state that holds after an end was tried; ``won`` says whether this try made it.

    ``text`` is what this end folded into the message behind ``base_offset``, ``version`` the
    conversation's after it, ``place`` its owner and mount at that version.
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
    place: tuple[str, str] | None = None


#: Ends that nobody but the runner stores.
_RUNNERS_OWN = ("completed", "error")
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


def end(
    connection: Connection,
    generation_id: int,
    outcome: Outcome,
    *,
    epoch: int | None = None,
    chunk_ids: Sequence[int] = (),
    orphaned: Callable[[Locked, datetime], bool] | None = None,
) -> Ended | None:
    """End a generation and fold its journal into the message, if nobody has ended it before.

    With ``epoch`` only for that claim; with ``orphaned`` only if that still says so of the locked
    row and the database's time. ``chunk_ids`` are the journal's row ids as its writer knows them,
    which saves a search. None when the generation is gone.
    """

    row = lock(connection, generation_id)

    if row is None:
        return None

    lost = row.status not in ACTIVE or epoch not in (None, row.epoch)

    # Its commit's answer was lost, and the runner tries again.
    if epoch == row.epoch and row.status == outcome.status in _RUNNERS_OWN:
        return _ended(row, row.status, row.error_code, won=True)

    if lost or (orphaned is not None and not orphaned(row, row.moment)):
        return _ended(row, row.status, row.error_code, won=False)

    text = _store_end(connection, row, outcome, chunk_ids)
    ended = _ended(row, outcome.status, outcome.error_code, won=True, text=text)

    return replace(ended, version=row.version + 1, place=(row.owner, row.mount))


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

    lock_conversation(connection, found.conversation_id)
    newest = connection.scalar(_NEWEST, {"message": message_id})

    if newest is not None:
        return end(connection, newest, outcome)

    status, code = connection.execute(_STATE, {"message": message_id}).one()

    return Ended(False, 0, found.conversation_id, message_id, status, code)


def _ended(row: Locked, status: str, code: str | None, *, won: bool, text: str = "") -> Ended:
    ids = (row.id, row.conversation_id, row.message_id)

    return Ended(won, *ids, public_status(status), code, row.base_offset, text)


def public_status(status: str) -> str:
    """A message's status for a generation's end."""

    return "error" if status == "interrupted" else status


def _store_end(
    connection: Connection, row: Locked, outcome: Outcome, chunk_ids: Sequence[int]
) -> str:
    """Store the end and fold the text, which it gives."""

    found = outcome.values
    totals = add_up(connection, row.message_id, found) if row.base_offset else found
    generation = {
        "status": outcome.status,
        "ended_at": row.moment,
        "first_token_at": _first_token_at(row, outcome),
        "error_code": outcome.error_code,
        "finish_reason": outcome.finish_reason,
        **{key: value for key, value in found.items() if key != "reasoning"},
    }
    rest = {
        "message": row.message_id,
        "public_status": public_status(outcome.status),
        "answered_by": found.get("model") or row.model,
        "next_version": row.version + 1,
        "moment": row.moment,
        "thoughts": totals.get("reasoning"),
        "code": outcome.error_code,
        "reason": outcome.finish_reason,
        "tokens_in": totals.get("input_tokens"),
        "tokens_out": totals.get("output_tokens"),
        "spent": totals.get("usage"),
        "conversation": row.conversation_id,
        "tokens": (found.get("input_tokens") or 0) + (found.get("output_tokens") or 0),
    }

    return fold(connection, row, generation, rest, chunk_ids)


def _first_token_at(row: Locked, outcome: Outcome) -> datetime | None:
    """By the database's clock, which is not asked before the first text is shown."""

    if outcome.first_token is None:
        return None

    return row.moment - timedelta(seconds=time.monotonic() - outcome.first_token)
