"""The messages of an ask, one below the other, and the placeholder of the answer to come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from flask_chatstream.models import Message

from .storing import Locked, Parent
from .wanted import Ask

_MESSAGES = insert(Message)


def store_turns(
    connection: Connection,
    wanted: Ask,
    conversation: Locked,
    parent: Parent | None,
    version: int,
    moment: datetime,
) -> str | None:
    """The turns one below the other, then the placeholder of the answer; the new leaf."""

    leaf, depth = (parent.id, parent.depth + 1) if parent else (None, 0)
    turns = [(turn.id, turn.role, turn.content, "completed") for turn in wanted.turns]
    rows: list[dict[str, Any]] = []

    if wanted.answer:
        turns.append((wanted.answer_id, "assistant", "", "generating"))

    for id, role, content, status in turns:
        row = {
            "id": id,
            "conversation_id": conversation.id,
            "parent_id": leaf,
            "depth": depth,
            "role": role,
            "content": content,
            "status": status,
            "model": wanted.model if id == wanted.answer_id else None,
            "metadata": wanted.details if id != wanted.answer_id else None,
            "version": version,
            "created_at": moment,
            "updated_at": moment,
        }
        rows.append(row)
        leaf, depth = id, depth + 1

    if rows:
        connection.execute(_MESSAGES, rows)

    return leaf
