"""Removing answers that came to nothing, where another one has been written to the same question
(``docs/states.md``, 3.11).

The ended answers are gone through by the index on (status, updated_at), a page at a time and round
and round: which of them have no text no index tells, and one may become superfluous at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from flask_chatstream.models import Conversation, Generation, Message, Reaction, Share
from flask_chatstream.storage import Database, now

#: How long an answer that came to nothing is kept.
LASTS = timedelta(days=1)
#: Ended answers that are looked at in one go.
PAGE = 200
#: An answer that was completed has text.
_ENDS = ("cancelled", "error")


@dataclass(frozen=True, slots=True)
class RoundMark:
    """How far a round has come: a state, and the last answer of a page in it."""

    status: str = _ENDS[0]
    updated_at: datetime | None = None
    id: str = ""


def remove_placeholders(database: Database, mark: RoundMark) -> tuple[int, RoundMark | None]:
    """Remove what is superfluous on the page behind a mark, each conversation in a transaction.

    Gives how many answers went, and the mark of the next page; None at the end of the round.
    """

    found, following = find_placeholders(database, mark)
    removed = 0

    for conversation_id, rows in groupby(found, key=lambda row: row[1]):
        ids = [id for id, _ in rows]
        removed += database.write(_remove, conversation_id, ids)

    return removed, following


def find_placeholders(
    database: Database, mark: RoundMark
) -> tuple[list[tuple[str, str]], RoundMark | None]:
    """What is superfluous on the page behind a mark, as (message, conversation), by conversation;
    and the mark of the next page."""

    with database.read() as session:
        rows = session.execute(_page(mark, now(session) - LASTS)).all()
        empty = [row.id for row in rows if row.is_empty]
        found = _find_superfluous(session, empty)

    if len(rows) == PAGE:
        return found, RoundMark(mark.status, rows[-1].updated_at, rows[-1].id)

    rest = _ENDS[_ENDS.index(mark.status) + 1 :]

    return found, RoundMark(rest[0]) if rest else None


def _is_empty() -> ColumnElement[bool]:
    """Nothing that the model has said is stored of it."""

    return and_(
        Message.role == "assistant",
        func.length(Message.content) == 0,
        Message.reasoning.is_(None),
    )


def _page(mark: RoundMark, before: datetime) -> Any:
    page = select(Message.id, Message.updated_at, _is_empty().label("is_empty")).where(
        Message.status == mark.status, Message.updated_at < before
    )

    if mark.updated_at is not None:
        last = and_(Message.updated_at == mark.updated_at, Message.id > mark.id)
        page = page.where(
            Message.updated_at >= mark.updated_at, or_(Message.updated_at > mark.updated_at, last)
        )

    return page.order_by(Message.updated_at, Message.id).limit(PAGE)


def _superfluous(ids: Sequence[str]) -> Any:
    """Those of ended answers without text that nobody misses.

    Nothing stands below them, they are not what the conversation shows, nobody has shared or rated
    them, and another answer to the same question has text.
    """

    below, beside = aliased(Message), aliased(Message)

    return (
        select(Message.id, Message.conversation_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Message.id.in_(ids),
            # By its id: with the ends named SQLite would read all of them by the other index.
            Message.status != "generating",
            _is_empty(),
            Conversation.active_leaf != Message.id,
            ~exists().where(below.parent_id == Message.id),
            exists().where(
                beside.parent_id == Message.parent_id,
                beside.role == "assistant",
                beside.status != "generating",
                func.length(beside.content) > 0,
            ),
            ~exists().where(
                Share.conversation_id == Message.conversation_id, Share.message_id == Message.id
            ),
            ~exists().where(Reaction.message_id == Message.id),
        )
        .order_by(Message.conversation_id, Message.id)
    )


def _find_superfluous(session: Session, ids: Sequence[str]) -> list[tuple[str, str]]:
    if not ids:
        return []

    return [(row.id, row.conversation_id) for row in session.execute(_superfluous(ids))]


def _remove(connection: Connection, conversation_id: str, ids: Sequence[str]) -> int:
    mine = Conversation.id == conversation_id
    version = connection.scalar(select(Conversation.version).where(mine).with_for_update())

    if version is None:
        return 0

    # Asked again now that nothing is stored, continued or chosen there.
    gone = [row.id for row in connection.execute(_superfluous(ids))]

    if not gone:
        return 0

    spent = func.coalesce(Message.input_tokens, 0) + func.coalesce(Message.output_tokens, 0)
    tokens = connection.scalar(select(func.sum(spent)).where(Message.id.in_(gone)))
    connection.execute(delete(Generation).where(Generation.message_id.in_(gone)))
    connection.execute(delete(Message).where(Message.id.in_(gone)))
    connection.execute(
        update(Conversation)
        .where(mine)
        .values(
            version=version + 1,
            message_count=Conversation.message_count - len(gone),
            total_tokens=Conversation.total_tokens - int(tokens or 0),
        )
    )

    return len(gone)
