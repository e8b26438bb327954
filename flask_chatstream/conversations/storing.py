"""The rows of an ask, statement by statement; `asking` says in which order.

Statements are built once: building one costs several times what running it does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from flask_chatstream.errors import N_, Conflict, InvalidRequest, NotFound
from flask_chatstream.models import Conversation, Generation, Message, Submission

from .titles import title_from
from .wanted import Ask


class Locked(NamedTuple):
    """A conversation that this transaction has locked or made."""

    id: str
    version: int
    active_leaf: str | None
    title: str
    model: str | None


class Parent(NamedTuple):
    """The message below which something is stored."""

    id: str
    depth: int
    status: str
    role: str


_KEY = insert(Submission)
_NEW = insert(Conversation)
_GENERATION = insert(Generation)
_LOCK = (
    select(
        Conversation.id,
        Conversation.version,
        Conversation.active_leaf,
        Conversation.title,
        Conversation.model,
        Conversation.owner,
    )
    .where(
        Conversation.id == bindparam("id"),
        Conversation.owner == bindparam("owner"),
        Conversation.mount == bindparam("mount"),
    )
    .with_for_update()
)
_PARENT = select(Message.id, Message.depth, Message.status, Message.role).where(
    Message.id == bindparam("id"), Message.conversation_id == bindparam("conversation")
)
_COUNT = (
    update(Conversation)
    .where(Conversation.id == bindparam("conversation"))
    .values(
        active_leaf=bindparam("leaf"),
        version=bindparam("next_version"),
        message_count=Conversation.message_count + bindparam("added"),
        title=bindparam("new_title"),
        last_message_at=bindparam("moment"),
        updated_at=bindparam("moment"),
    )
)


def store_key(connection: Connection, wanted: Ask, conversation_id: str, moment: datetime) -> None:
    """The idempotency key, first of all: a second submit fails here."""

    if wanted.key is None:
        return

    values = {
        "owner": wanted.owner,
        "key": wanted.key,
        "conversation_id": conversation_id,
        "user_message_id": wanted.turns[-1].id if wanted.turns else wanted.parent_id,
        "message_id": wanted.answer_id if wanted.answer else None,
        "created_at": moment,
    }
    connection.execute(_KEY, values)


def lock_conversation(connection: Connection, wanted: Ask) -> Locked:
    """The conversation, locked; raises `NotFound`."""

    found = connection.execute(
        _LOCK, {"id": wanted.conversation_id, "owner": wanted.owner, "mount": wanted.mount}
    ).one_or_none()

    if found is None or found.owner != wanted.owner:
        raise NotFound

    return Locked(*found[:-1])


def store_conversation(connection: Connection, wanted: Ask, id: str, moment: datetime) -> Locked:
    """A new conversation, as it is with all that is stored in it now; its version is still 0."""

    ids = [turn.id for turn in wanted.turns] + [wanted.answer_id] * wanted.answer
    values = {
        "id": id,
        "owner": wanted.owner,
        "mount": wanted.mount,
        "title": _title(wanted, wanted.title),
        "title_source": "person" if wanted.title else "words",
        "model": wanted.model,
        "active_leaf": ids[-1] if ids else None,
        "version": 1,
        "message_count": len(ids),
        "created_at": moment,
        "updated_at": moment,
        "last_message_at": moment,
    }
    connection.execute(_NEW, values)

    return Locked(id, 0, None, wanted.title or "", wanted.model)


def get_parent(connection: Connection, wanted: Ask, conversation: Locked) -> Parent | None:
    """Where the turns are stored; None at the root.

    Raises `NotFound`, `Conflict` while that message is being written, `InvalidRequest` when it is
    no question and only an answer was asked for.
    """

    id = wanted.parent_id or conversation.active_leaf

    if id is None or wanted.from_root:
        if not wanted.turns:
            raise InvalidRequest(N_("There is no question yet to be answered."))

        return None

    found = connection.execute(_PARENT, {"id": id, "conversation": conversation.id}).one_or_none()

    if found is None:
        raise NotFound

    parent = Parent(*found)

    if parent.status == "generating":
        words = N_("An answer is still being written here. Stop it or wait for its end.")
        raise Conflict(words, code="generation_active")

    if not wanted.turns and parent.role != "user":
        raise InvalidRequest(N_("Only a question can be answered again."))

    return parent


def _model(wanted: Ask, conversation: Locked) -> str | None:
    return wanted.model or conversation.model or wanted.default_model


def store_generation(
    connection: Connection,
    wanted: Ask,
    conversation: Locked,
    moment: datetime,
    base_offset: int = 0,
) -> int:
    """The queued generation, which writes behind ``base_offset``; its id."""

    lease = wanted.placement.lease
    values = {
        "conversation_id": conversation.id,
        "message_id": wanted.answer_id,
        "owner": wanted.owner,
        "mount": wanted.mount,
        "status": "queued",
        "base_offset": base_offset,
        "runner": wanted.placement.runner,
        "worker": wanted.placement.worker,
        "lease_until": None if lease is None else moment + timedelta(seconds=lease),
        "watched_at": moment if wanted.is_watched else None,
        "provider": wanted.provider,
        "model": _model(wanted, conversation),
        "temperature": wanted.temperature,
        "request_id": wanted.request_id,
        "created_at": moment,
    }
    key = connection.execute(_GENERATION, values).inserted_primary_key
    assert key is not None

    return int(key[0])


def count_turns(
    connection: Connection,
    wanted: Ask,
    conversation: Locked,
    leaf: str | None,
    version: int,
    moment: datetime,
) -> None:
    """The conversation's counters, leaf and title, in the transaction of what they count."""

    values = {
        "conversation": conversation.id,
        "leaf": leaf,
        "next_version": version,
        "added": len(wanted.turns) + (wanted.answer and not wanted.continues),
        "new_title": _title(wanted, conversation.title),
        "moment": moment,
    }
    connection.execute(_COUNT, values)


def _title(wanted: Ask, given: str | None) -> str:
    """The title that is given, else one of the first question's words."""

    questions = (turn.content for turn in wanted.turns if turn.role == "user")

    return given or title_from(next(questions, ""))
