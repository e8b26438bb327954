"""What a runner is to do: a claimed generation with what its conversation says about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, case, or_, select
from sqlalchemy.orm import aliased

from flask_chatstream.conversations.history import CHARS_PER_TOKEN, Said, path_to, trim
from flask_chatstream.models import Conversation, Generation, Message


@dataclass(frozen=True, slots=True)
class Assignment:
    """An answer that is to be written; ``instructions`` are those of its conversation.

    ``prefix`` is what it has already, when it broke off and is continued. ``history`` are the
    messages in front of it that the model is given, the question last; None when one of them is
    being written, so that its text is not in its row alone.
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
    history: tuple[Said, ...] | None = field(repr=False)

    def budget(self, context_tokens: int) -> int:
        """How many tokens the messages in front of it may have."""

        return (self.context_window or context_tokens) - len(self.prefix) // CHARS_PER_TOKEN


_IS_MINE = Generation.id == bindparam("generation")
_answer = aliased(Message)
_question = (
    select(_answer.parent_id)
    .join(Generation, Generation.message_id == _answer.id)
    .where(_IS_MINE)
    .scalar_subquery()
)
_path = path_to(_question)
#: In every other row of the path the long texts would be repeated.
_is_last = or_(_path.c.id == _answer.parent_id, _path.c.id.is_(None))
_ASSIGNMENT = (
    select(
        Generation.message_id,
        Generation.mount,
        Generation.provider,
        Generation.model,
        Generation.temperature,
        Generation.request_id,
        Conversation.owner,
        case((_is_last, Conversation.instructions)),
        Conversation.context_window,
        case((_is_last, _answer.content)),
        _path.c.role,
        _path.c.content,
        _path.c.status,
    )
    .join_from(Generation, Conversation, Conversation.id == Generation.conversation_id)
    .join(_answer, _answer.id == Generation.message_id)
    .join(_path, _path.c.depth < _answer.depth, isouter=True)
    .where(_IS_MINE)
    .order_by(_path.c.depth)
)


def find_assignment(connection: Connection, generation_id: int, context_tokens: int) -> Assignment:
    """The assignment of a generation that this transaction has claimed.

    ``context_tokens`` is the limit of what the model is given, where the conversation has none.
    """

    rows: Any = connection.execute(_ASSIGNMENT, {"generation": generation_id}).all()
    values: list[Any] = [*rows[-1][:-3], None]
    found = Assignment(*values)

    if any(status == "generating" for *_, status in rows):
        return found

    said = [Said(role, content) for *_, role, content, _ in rows if content]

    return replace(found, history=tuple(trim(said, found.budget(context_tokens))))
