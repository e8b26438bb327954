"""What a runner is to do: a claimed generation with what its conversation says about it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from flask_chatstream.models import Conversation, Generation


@dataclass(frozen=True, slots=True)
class Assignment:
    """An answer that is to be written; ``instructions`` are those of its conversation."""

    message_id: str
    mount: str
    provider: str | None
    model: str | None
    temperature: float | None
    request_id: str | None
    owner: str
    instructions: str | None
    context_window: int | None


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
    )
    .join(Conversation, Conversation.id == Generation.conversation_id)
    .where(Generation.id == bindparam("generation"))
)


def find_assignment(session: Session, generation_id: int) -> Assignment | None:
    """The assignment of a generation; None when it or its conversation is gone."""

    rows = session.connection().execute(_ASSIGNMENT, {"generation": generation_id})
    row = rows.one_or_none()

    return None if row is None else Assignment(*row)
