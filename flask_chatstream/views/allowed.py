"""Which act each URL is, and whether the site's own rule admits it."""

from __future__ import annotations

from flask import request

from flask_chatstream.access import Act, is_allowed, refuse_act
from flask_chatstream.conversations import get_conversation, get_message
from flask_chatstream.errors import NotFound
from flask_chatstream.state import State

#: The act of each view that has an owner; None for one that names it itself, knowing more.
ACT_OF: dict[str, Act | None] = {
    "index": "list",
    "conversation": "read",
    "older": "read",
    "events": "read",
    "list_conversations": "list",
    "start": "ask",
    "ask": "ask",
    "delete": "delete",
    "cancel": "stop",
    "regenerate": "regenerate",
    "continue": "continue",
    "api_chat": None,
    "api_conversations": "list",
    "api_create": "ask",
    "api_conversation": "read",
    "api_change": "rename",
    "api_delete": "delete",
    "api_messages": "read",
    "api_add": "ask",
    "api_status": "read",
    "api_poll": "read",
    "api_stream": "read",
    "api_content": "read",
    "api_cancel": "stop",
    "api_regenerate": "regenerate",
    "api_continue": "continue",
}


def check_request(state: State, mount: str, owner: str) -> None:
    """Ask the site's rule about the act that this request is; raises `Refused` or `NotFound`."""

    if state.mounts[mount].authorize_hook is None:
        return

    act = ACT_OF[(request.endpoint or "").rpartition(".")[2]]
    values = request.view_args or {}

    if act is not None:
        check(state, mount, owner, act, values.get("conversation_id") or values.get("message_id"))


def check(state: State, mount: str, owner: str, act: Act, object: str | None) -> None:
    """Ask the site's rule about an act; raises `Refused`, and `NotFound` for what is another's."""

    if is_allowed(state.mounts[mount].authorize_hook, act, owner, object):
        return

    if object is not None:
        _check_own(state, mount, owner, object)

    raise refuse_act()


def _check_own(state: State, mount: str, owner: str, object: str) -> None:
    """A refusal would tell that there is such a thing: foreign and missing are the same (S07)."""

    with state.database.read() as session:
        try:
            get_conversation(session, owner, mount, object)
        except NotFound:
            get_message(session, owner, mount, object)
