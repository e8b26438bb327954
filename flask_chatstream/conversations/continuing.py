"""Going on with an answer that broke off: another generation behind its text (``docs/states.md``,
3.9).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, bindparam, select, update

from flask_chatstream.errors import N_, Conflict, NotFound
from flask_chatstream.models import Generation, Message

from .storing import Locked, store_generation
from .wanted import Ask


class Broken(Protocol):
    """What is looked at of an answer: a row of its table, or the message itself."""

    role: str
    status: str
    error_code: str | None
    finish_reason: str | None
    content: str


class Continued(NamedTuple):
    """The question of the answer, and the generation that goes on with it."""

    question_id: str | None
    generation_id: int
    base_offset: int


_BROKEN = select(
    Message.parent_id,
    Message.role,
    Message.status,
    Message.error_code,
    Message.finish_reason,
    Message.content,
).where(Message.id == bindparam("id"), Message.conversation_id == bindparam("conversation"))
_BELOW = select(Message.id).where(Message.parent_id == bindparam("id")).limit(1)
_LAST = (
    select(Generation.provider, Generation.model, Generation.temperature, Generation.finish_reason)
    .where(Generation.message_id == bindparam("id"))
    .order_by(Generation.id.desc())
    .limit(1)
)
_REOPEN = (
    update(Message)
    .where(Message.id == bindparam("message"))
    .values(
        status="generating",
        error_code=None,
        finish_reason=None,
        version=bindparam("next_version"),
        updated_at=bindparam("moment"),
    )
)


def find_obstacle(answer: Broken) -> str | None:
    """Why an answer cannot be gone on with, in words for a person; None when it can.

    It must have broken off with text: stopped, failed, or cut by the model's own limit.
    """

    if answer.role != "assistant":
        return N_("Only an answer can be continued.")

    if answer.status == "generating":
        return N_("This answer is still being written.")

    if answer.status == "completed" and answer.finish_reason != "length":
        return N_("This answer is complete.")

    if not answer.content:
        return N_("There is no text to go on from. Have it written again instead.")

    # What is stored counts: the next generation would end at once.
    if answer.error_code == "limit":
        return N_("This answer is as long as an answer may be.")

    return None


def reopen_answer(
    connection: Connection, wanted: Ask, conversation: Locked, version: int, moment: datetime
) -> Continued:
    """Take the wanted answer back to ``generating``, with a queued generation behind its text.

    The conversation is locked, so nothing ends, starts or is stored below it meanwhile. Raises
    `NotFound`, and `Conflict` for an answer that cannot be gone on with.
    """

    values = {"id": wanted.answer_id, "conversation": conversation.id}
    answer: Any = connection.execute(_BROKEN, values).one_or_none()

    if answer is None:
        raise NotFound

    _check(connection, wanted, answer)
    base_offset = len(answer.content)
    wanted = _as_before(connection, wanted)
    id = store_generation(connection, wanted, conversation, moment, base_offset)
    reopened = {"message": wanted.answer_id, "next_version": version, "moment": moment}
    connection.execute(_REOPEN, reopened)

    return Continued(answer.parent_id, id, base_offset)


def _check(connection: Connection, wanted: Ask, answer: Broken) -> None:
    obstacle = find_obstacle(answer)

    if obstacle is not None:
        is_running = answer.status == "generating"
        raise Conflict(obstacle, code="generation_active" if is_running else "not_continuable")

    if connection.scalar(_BELOW, {"id": wanted.answer_id}) is not None:
        words = N_("The conversation has gone on below this answer.")
        raise Conflict(words, code="not_continuable")


def _as_before(connection: Connection, wanted: Ask) -> Ask:
    """Ask who has begun it, at the same temperature, unless another provider answers here now.

    A finished generation has the vendor's own name of its model, which not every gateway takes.
    """

    last: Any = connection.execute(_LAST, {"id": wanted.answer_id}).one_or_none()

    if last is None or last.provider != wanted.provider:
        return wanted

    model = wanted.model if last.finish_reason else last.model

    return replace(wanted, model=model, temperature=last.temperature)
