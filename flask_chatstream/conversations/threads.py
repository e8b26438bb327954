"""An owner's conversations: found by owner in the SQL, listed by latest activity.

Foreign and missing are the same `NotFound` (S07).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, tuple_, update
from sqlalchemy.orm import Session

from flask_chatstream.errors import InvalidRequest, NotFound
from flask_chatstream.models import ACTIVE, Conversation, Generation, Message, new_id
from flask_chatstream.storage import now

from .visitors import hold_visitor


@dataclass(frozen=True, slots=True)
class Page:
    """Some conversations, and the cursor of the next page (None at the end)."""

    conversations: Sequence[Conversation]
    next_cursor: str | None


_CONVERSATION = select(Conversation).where(
    Conversation.id == bindparam("conversation"),
    Conversation.owner == bindparam("owner"),
    Conversation.mount == bindparam("mount"),
)
_MESSAGE = (
    select(Message, Conversation.owner)
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(
        Message.id == bindparam("message"),
        Conversation.owner == bindparam("owner"),
        Conversation.mount == bindparam("mount"),
    )
)


def get_conversation(
    session: Session, owner: str, mount: str, conversation_id: str
) -> Conversation:
    """A conversation of this owner; raises `NotFound`."""

    wanted = {"conversation": conversation_id, "owner": owner, "mount": mount}
    found = session.scalar(_CONVERSATION, wanted)

    if found is None or found.owner != owner:
        raise NotFound

    return found


def get_message(session: Session, owner: str, mount: str, message_id: str) -> Message:
    """A message in a conversation of this owner; raises `NotFound`."""

    wanted = {"message": message_id, "owner": owner, "mount": mount}
    found = session.execute(_MESSAGE, wanted).one_or_none()

    if found is None or found.owner != owner:
        raise NotFound

    message: Message = found.Message

    return message


def find_newest(session: Session, owner: str, mount: str) -> Conversation | None:
    """The owner's conversation with the latest activity."""

    found: Conversation | None = session.scalar(_listed(owner, mount).limit(1))

    return found


def list_conversations(
    session: Session,
    owner: str,
    mount: str,
    *,
    limit: int = 50,
    cursor: str | None = None,
    offset: int = 0,
) -> Page:
    """The owner's conversations, latest activity first.

    ``limit`` is 1 to 200. Raises `InvalidRequest` for a cursor that is none of ours.
    """

    statement = _listed(owner, mount)

    if cursor:
        moment, id = _decode(cursor)
        position = tuple_(Conversation.last_message_at, Conversation.id)
        statement = statement.where(position < (moment, id))

    found = session.scalars(statement.offset(offset).limit(limit + 1)).all()
    more = len(found) > limit
    shown = found[:limit]

    return Page(shown, _encode(shown[-1]) if more else None)


def _listed(owner: str, mount: str) -> Select[Any]:
    return (
        select(Conversation)
        .where(
            Conversation.owner == owner,
            Conversation.mount == mount,
            Conversation.archived.is_(False),
        )
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
    )


def _encode(conversation: Conversation) -> str:
    position = [conversation.last_message_at.isoformat(), conversation.id]

    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        moment, id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))

        return datetime.fromisoformat(moment).astimezone(UTC), bytes.fromhex(id).hex()
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidRequest("The cursor is none of this list.", code="invalid_cursor") from error


def find_running(session: Session, conversation_ids: Sequence[str]) -> set[str]:
    """Those of the conversations in which an answer is being written."""

    return set(
        session.scalars(
            select(Generation.conversation_id).where(
                Generation.conversation_id.in_(conversation_ids), Generation.status.in_(ACTIVE)
            )
        )
    )


def create_conversation(
    connection: Connection,
    owner: str,
    mount: str,
    *,
    title: str | None = None,
    model: str | None = None,
    context_window: int | None = None,
    details: dict[str, Any] | None = None,
) -> str:
    """Store an empty conversation; its id.

    Raises `Conflict` for an anonymous owner who was claimed meanwhile.
    """

    hold_visitor(connection, owner)
    id = new_id()
    moment = now(connection)
    times = dict.fromkeys(("created_at", "updated_at", "last_message_at"), moment)
    connection.execute(
        insert(Conversation).values(
            id=id,
            owner=owner,
            mount=mount,
            title=title or "",
            title_source="person" if title else "words",
            model=model,
            context_window=context_window,
            details=details,
            **times,
        )
    )

    return id


def rename(
    connection: Connection, owner: str, mount: str, conversation_id: str, title: str
) -> None:
    """Give a conversation a person's title; raises `NotFound`."""

    changed = connection.execute(
        update(Conversation)
        .where(
            Conversation.id == conversation_id,
            Conversation.owner == owner,
            Conversation.mount == mount,
        )
        .values(
            title=title,
            title_source="person",
            version=Conversation.version + 1,
            updated_at=now(connection),
        )
    )

    if not changed.rowcount:
        raise NotFound
