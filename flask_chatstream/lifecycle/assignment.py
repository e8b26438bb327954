"""What a runner is to do: a claimed generation with what its conversation says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from flask_chatstream.models import Conversation, Generation, Message


@dataclass(frozen=True, slots=True)
class Assignment:
    """An answer that is to be written; ``instructions`` are those of its conversation.

    ``prefix`` is what it has already, when it broke off and is continued.
    """

    message_id: str
    mount: str
    provider: str | None
    model: str | None
    temperature: float | None
    request_id: str | None
    owner: str
    instructions: str | None
    context_window: int | None
    prefix: str = field(repr=False)


_ASSIGNMENT = (
    select(
        Generation.message_id,
        Generation.mount,
        Generation.provider,
        Generation.model,
        Generation.temperature,
        Generation.request_id,
        Conversation.owner,
        Conversation.instructions,
        Conversation.context_window,
        Message.content,
    )
    .join(Conversation, Conversation.id == Generation.conversation_id)
    .join(Message, Message.id == Generation.message_id)
    .where(Generation.id == bindparam("generation"))
)


def find_assignment(session: Session, generation_id: int) -> Assignment | None:
    """The assignment of a generation; None when it or its conversation is gone."""

    rows = session.connection().execute(_ASSIGNMENT, {"generation": generation_id})
    row: Any = rows.one_or_none()

    return None if row is None else Assignment(*row)
