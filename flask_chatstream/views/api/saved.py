"""Saved conversations through the API: list, create, read, rename, delete, and their messages."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from flask_chatstream.conversations import (
    create_conversation,
    get_conversation,
    list_conversations,
    read_page,
    rename,
)
from flask_chatstream.errors import InvalidRequest
from flask_chatstream.generation import remove as remove_conversation
from flask_chatstream.models import Conversation
from flask_chatstream.views.visit import Visit, get_visit

from .bodies import ConversationBody, RenameBody, load_body
from .values import conversation_value, message_value

CONVERSATIONS = 50
MESSAGES = 100
MOST = 200


def _number(name: str, default: int, least: int, most: int) -> int:
    text = request.args.get(name)

    if text is None:
        return default

    if not (text.isascii() and text.isdecimal() and least <= int(text[:12]) <= most):
        raise InvalidRequest(f"{name} must be a whole number from {least} to {most}.")

    return int(text)


def list_all() -> ResponseReturnValue:
    """The owner's conversations, newest activity first."""

    visit = get_visit()

    with visit.state.database.read() as session:
        page = list_conversations(
            session,
            visit.owner,
            visit.mount,
            limit=_number("limit", CONVERSATIONS, 1, MOST),
            offset=_number("offset", 0, 0, 10**6),
            cursor=request.args.get("cursor"),
        )

    return {
        "conversations": [conversation_value(c) for c in page.conversations],
        "next_cursor": page.next_cursor,
    }


def create() -> ResponseReturnValue:
    """Create an empty conversation."""

    visit = get_visit()
    body = load_body(ConversationBody)
    id = visit.state.database.write(
        create_conversation,
        visit.owner,
        visit.mount,
        title=body.title,
        model=body.model,
        context_window=body.context_window,
        details=body.metadata,
    )

    return conversation_value(_get(visit, id)), 201


def _get(visit: Visit, conversation_id: str) -> Conversation:
    with visit.state.database.read() as session:
        return get_conversation(session, visit.owner, visit.mount, conversation_id)


def read(conversation_id: str) -> ResponseReturnValue:
    """A conversation without its messages."""

    return conversation_value(_get(get_visit(), conversation_id))


def change(conversation_id: str) -> ResponseReturnValue:
    """Rename a conversation."""

    visit = get_visit()
    title = load_body(RenameBody).title
    visit.state.database.write(rename, visit.owner, visit.mount, conversation_id, title)
    visit.state.runtime.follow.changed(conversation_id)

    return conversation_value(_get(visit, conversation_id))


def remove(conversation_id: str) -> ResponseReturnValue:
    """Delete a conversation with all that hangs on it."""

    visit = get_visit()
    remove_conversation(visit.state.runtime, visit.owner, visit.mount, conversation_id)

    return "", 204


def messages(conversation_id: str) -> ResponseReturnValue:
    """The messages of the branch that is shown, oldest first."""

    visit = get_visit()
    visit.state.runtime.settle(conversation_id)

    with visit.state.database.read() as session:
        conversation = get_conversation(session, visit.owner, visit.mount, conversation_id)
        readings, next_cursor = read_page(
            session,
            conversation,
            leaf=request.args.get("leaf"),
            after=request.args.get("cursor"),
            offset=_number("offset", 0, 0, 10**6),
            limit=_number("limit", MESSAGES, 1, MOST),
        )

    return {"messages": [message_value(r) for r in readings], "next_cursor": next_cursor}
