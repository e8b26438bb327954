"""Storing a question with the answer to come (``docs/states.md``, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from flask_chatstream.errors import NotFound
from flask_chatstream.models import Conversation, Generation, Message, Submission, new_id
from flask_chatstream.storage import Database, now

from .continuing import reopen_answer
from .storing import (
    Locked,
    count_turns,
    get_parent,
    lock_conversation,
    store_conversation,
    store_generation,
    store_key,
)
from .turns import store_turns
from .visitors import hold_visitor
from .wanted import Ask


@dataclass(frozen=True, slots=True)
class Asked:
    """What was stored, and the conversation's version after it.

    ``replayed`` says that an earlier submit with the same key stored it. ``base_offset`` is the
    position behind which the generation writes.
    """

    conversation_id: str
    user_message_id: str | None
    message_id: str | None
    generation_id: int | None
    status: str
    replayed: bool = False
    version: int | None = None
    base_offset: int = 0


_SUBMISSION = select(
    Submission.conversation_id,
    Submission.user_message_id,
    Submission.message_id,
    Submission.created_at,
).where(Submission.owner == bindparam("owner"), Submission.key == bindparam("key"))
_PRESENT = select(Conversation.id).where(Conversation.id == bindparam("id"))
_STATUS = select(Message.status).where(Message.id == bindparam("id"))
#: A message that was continued has several; a submit has one moment for all that it stores.
_GENERATION = (
    select(Generation.id, Generation.base_offset)
    .where(Generation.message_id == bindparam("id"), Generation.created_at == bindparam("moment"))
    .order_by(Generation.id)
    .limit(1)
)


def ask(database: Database, wanted: Ask) -> Asked:
    """Store the turns, the placeholder answer, its generation and the key, in one transaction.

    Where an answer is continued there is no turn and no placeholder. Raises `NotFound` for a
    conversation, message or parent that is not the owner's, `Conflict` while the parent is still
    being written, for an answer that cannot be continued and for an anonymous owner who was
    claimed meanwhile, `StorageUnavailable` when nothing was stored.
    """

    new_conversation = new_id()

    try:
        return database.write(_ask, wanted, new_conversation)
    except IntegrityError:
        replay = database.write(_find_replay, wanted)

        if replay is None:
            raise

        return replay


def _ask(connection: Connection, wanted: Ask, new_conversation: str) -> Asked:
    replay = _find_replay(connection, wanted)

    if replay is not None:
        return replay

    hold_visitor(connection, wanted.owner)
    moment = now(connection)
    store_key(connection, wanted, wanted.conversation_id or new_conversation, moment)

    if wanted.conversation_id is None:
        conversation = store_conversation(connection, wanted, new_conversation, moment)
    else:
        conversation = lock_conversation(connection, wanted)

    store = _go_on if wanted.continues else _add

    return store(connection, wanted, conversation, moment)


def _go_on(connection: Connection, wanted: Ask, conversation: Locked, moment: datetime) -> Asked:
    version = conversation.version + 1
    begun = reopen_answer(connection, wanted, conversation, version, moment)
    count_turns(connection, wanted, conversation, wanted.answer_id, version, moment)
    ids = (conversation.id, begun.question_id, wanted.answer_id, begun.generation_id)

    return Asked(*ids, "generating", version=version, base_offset=begun.base_offset)


def _add(connection: Connection, wanted: Ask, conversation: Locked, moment: datetime) -> Asked:
    parent = get_parent(connection, wanted, conversation)
    version = conversation.version + 1
    leaf = store_turns(connection, wanted, conversation, parent, version, moment)
    generation_id = None

    if wanted.answer:
        generation_id = store_generation(connection, wanted, conversation, moment)

    if wanted.conversation_id is not None:
        count_turns(connection, wanted, conversation, leaf, version, moment)

    question = wanted.turns[-1].id if wanted.turns else parent.id if parent else None
    status = "generating" if wanted.answer else "completed"
    answer_id = wanted.answer_id if wanted.answer else None

    return Asked(conversation.id, question, answer_id, generation_id, status, version=version)


def _find_replay(connection: Connection, wanted: Ask) -> Asked | None:
    if wanted.key is None:
        return None

    found = connection.execute(
        _SUBMISSION, {"owner": wanted.owner, "key": wanted.key}
    ).one_or_none()

    if found is None:
        return None

    # The key of a deleted conversation stays for its day, and makes nothing anew.
    if connection.scalar(_PRESENT, {"id": found.conversation_id}) is None:
        raise NotFound

    values = {"id": found.message_id, "moment": found.created_at}
    generation = connection.execute(_GENERATION, values).one_or_none()

    return Asked(
        found.conversation_id,
        found.user_message_id,
        found.message_id,
        generation.id if generation else None,
        connection.scalar(_STATUS, {"id": found.message_id}) or "completed",
        replayed=wanted.continues or found.message_id != wanted.answer_id,
        base_offset=generation.base_offset if generation else 0,
    )
