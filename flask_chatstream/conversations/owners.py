"""Giving one owner's chats to another, and removing all that an owner has.

Every function is one transaction, or a part of one: it takes a connection and gives values
(``docs/states.md``, 3.12 and 3.13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from flask_chatstream.models import (
    Conversation,
    Folder,
    Generation,
    Message,
    Reaction,
    Revocation,
    Share,
    Submission,
    Tag,
)
from flask_chatstream.storage import now

from .deleting import delete_conversation
from .visitors import claim_visitor, forget_visitor, hold_visitor

_PLACE = select(Conversation.owner, Conversation.mount).where(
    Conversation.id == bindparam("conversation")
)


class Place(NamedTuple):
    """A conversation's id and its mount."""

    id: str
    mount: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """How much was removed."""

    conversations: int = 0
    messages: int = 0
    generations: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(
            self.conversations + other.conversations,
            self.messages + other.messages,
            self.generations + other.generations,
        )


def move_owner(connection: Connection, old: str, new: str) -> list[str]:
    """Give all that an owner has to another; the ids of the conversations that went over.

    An anonymous owner is claimed by it. Raises `Conflict` when the new one is that already.
    """

    claim_visitor(connection, old)
    hold_visitor(connection, new)
    _move_submissions(connection, old, new)
    ids = _lock(connection, old)
    values = {
        "owner": new,
        "version": Conversation.version + 1,
        "updated_at": now(connection),
    }
    connection.execute(update(Conversation).where(Conversation.owner == old).values(values))

    for table in (Generation, Share, Tag, Folder):
        connection.execute(update(table).where(table.owner == old).values(owner=new))

    _move_reactions(connection, old, new)

    return ids


def _lock(connection: Connection, owner: str) -> list[str]:
    conversations = select(Conversation.id).where(Conversation.owner == owner)
    ids = connection.scalars(conversations.order_by(Conversation.id).with_for_update()).all()
    generations = select(Generation.id).where(Generation.owner == owner)
    connection.scalars(generations.order_by(Generation.id).with_for_update()).all()

    return list(ids)


def _move_submissions(connection: Connection, old: str, new: str) -> None:
    mine = select(Submission.key).where(Submission.owner == old)
    both = connection.scalars(
        select(Submission.key).where(Submission.owner == new, Submission.key.in_(mine))
    ).all()
    double = Submission.key.in_(both)
    connection.execute(delete(Submission).where(Submission.owner == old, double))
    connection.execute(update(Submission).where(Submission.owner == old).values(owner=new))


def _move_reactions(connection: Connection, old: str, new: str) -> None:
    mine = select(Reaction.message_id).where(Reaction.owner == old)
    both = connection.scalars(
        select(Reaction.message_id).where(Reaction.owner == new, Reaction.message_id.in_(mine))
    ).all()
    connection.execute(delete(Reaction).where(Reaction.owner == old, Reaction.message_id.in_(both)))
    connection.execute(update(Reaction).where(Reaction.owner == old).values(owner=new))


def list_places(session: Session, owner: str, limit: int) -> list[Place]:
    """Some of an owner's conversations, of all mounts."""

    query = (
        select(Conversation.id, Conversation.mount, Conversation.owner)
        .where(Conversation.owner == owner)
        .order_by(Conversation.id)
        .limit(limit)
    )

    return [Place(row.id, row.mount) for row in session.execute(query) if row.owner == owner]


def is_anothers(session: Session, owner: str, mount: str, conversation_id: str) -> bool:
    """Whether a conversation is there and not this owner's; every viewer asks at every change."""

    rows = session.connection().execute(_PLACE, {"conversation": conversation_id})
    row = rows.one_or_none()

    return row is not None and (row.owner, row.mount) != (owner, mount)


def delete_counted(connection: Connection, owner: str, place: Place) -> tuple[Deleted, list[int]]:
    """Remove a conversation: how much it was, and the generations that were active.

    Raises `NotFound`.
    """

    messages, generations = (
        select(func.count()).select_from(table).where(table.conversation_id == place.id)
        for table in (Message, Generation)
    )
    counts = connection.scalar(messages) or 0, connection.scalar(generations) or 0
    active = delete_conversation(connection, owner, place.mount, place.id)

    return Deleted(1, *counts), active


def delete_remains(connection: Connection, owner: str) -> None:
    """Remove what an owner has besides conversations: keys, folders, tags, shares, reactions."""

    for table in (Submission, Reaction, Share, Tag, Folder, Revocation):
        connection.execute(delete(table).where(table.owner == owner))

    forget_visitor(connection, owner)
