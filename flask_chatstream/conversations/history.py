"""What the model is given of a conversation: the path to the answer, newest kept whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import CTE, ColumnElement, bindparam, select
from sqlalchemy.orm import Session

from flask_chatstream.models import Message

from .branches import read_messages

#: Rough length of a token, for trimming where the vendor's own count is not known.
CHARS_PER_TOKEN = 4


class Said(NamedTuple):
    """One message of the path, by whom and what."""

    role: str
    content: str


_COLUMNS = (
    Message.id,
    Message.parent_id,
    Message.depth,
    Message.role,
    Message.content,
    Message.status,
)


def path_to(message_id: ColumnElement[str]) -> CTE:
    """The rows from a message up to the conversation's first one, for a query."""

    root = select(*_COLUMNS).where(Message.id == message_id).cte("path", recursive=True)

    return root.union_all(select(*_COLUMNS).where(Message.id == root.c.parent_id))


_above = select(Message.parent_id).where(Message.id == bindparam("answer")).scalar_subquery()
_path = path_to(_above)
_PATH = select(_path).order_by(_path.c.depth)


def read_history(session: Session, answer_id: str, context_tokens: int) -> list[Said]:
    """The messages in front of an answer, oldest first, that fit ``context_tokens``.

    The newest is kept whatever its length. Messages without text are left out.
    """

    rows = session.connection().execute(_PATH, {"answer": answer_id}).all()
    said = [Said(row.role, row.content) for row in rows]

    # An answer further up may be going on: its text is not in its row alone.
    if any(row.status == "generating" for row in rows):
        readings = read_messages(session, [row.id for row in rows])
        said = [Said(reading.message.role, reading.text) for reading in readings]

    return trim([one for one in said if one.content], context_tokens)


def trim(messages: Sequence[Said], context_tokens: int) -> list[Said]:
    """The newest messages within a budget of tokens, oldest first."""

    budget = context_tokens * CHARS_PER_TOKEN
    kept: list[Said] = []

    for message in reversed(messages):
        budget -= len(message.content)

        if kept and budget < 0:
            break

        kept.append(message)

    kept.reverse()

    return kept
