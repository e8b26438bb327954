"""Deleting a conversation with all that hangs on it (``docs/states.md``, 3.10)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from flask_chatstream.errors import NotFound
from flask_chatstream.models import (
    ACTIVE,
    Conversation,
    Generation,
    Message,
    Reaction,
    Share,
    Tag,
    journal_for,
)


def delete_conversation(
    connection: Connection, owner: str, mount: str, conversation_id: str
) -> list[int]:
    """Remove a conversation and all that hangs on it; the ids of generations that were active.

    Raises `NotFound`.
    """

    found = connection.scalar(
        select(Conversation.owner)
        .where(
            Conversation.id == conversation_id,
            Conversation.owner == owner,
            Conversation.mount == mount,
        )
        .with_for_update()
    )

    if found != owner:
        raise NotFound

    generations = connection.execute(
        select(Generation.id, Generation.status)
        .where(Generation.conversation_id == conversation_id)
        .order_by(Generation.id)
        .with_for_update()
    ).all()
    _delete_parts(connection, conversation_id, [id for id, _ in generations])

    return [id for id, status in generations if status in ACTIVE]


def _delete_parts(connection: Connection, conversation_id: str, generations: list[int]) -> None:
    journal = journal_for(connection.dialect.name)
    messages = select(Message.id).where(Message.conversation_id == conversation_id)

    if generations:
        connection.execute(delete(journal).where(journal.c.generation_id.in_(generations)))

    connection.execute(delete(Reaction).where(Reaction.message_id.in_(messages)))

    for table in (Share, Tag, Generation, Message):
        connection.execute(delete(table).where(table.conversation_id == conversation_id))

    connection.execute(delete(Conversation).where(Conversation.id == conversation_id))
