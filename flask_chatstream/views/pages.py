"""Whole pages and their parts, by GET; nothing here changes anything or costs a model's call."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from flask_chatstream.access import csrf_token
from flask_chatstream.conversations import find_newest, find_running, list_conversations
from flask_chatstream.htmx import htmx
from flask_chatstream.htmx import make_response as make_htmx_response

from .context import ConversationItem, ConversationView, make_item
from .replies import json_reply
from .showing import read_shown, show
from .templates import render_page, render_part
from .visit import Visit, current_chat, get_visit

LISTED = 50
VIEWS = {"page", "widget", "panel"}


def index() -> ResponseReturnValue:
    """The newest conversation, or an empty one with ``?new=1``."""

    visit = get_visit()
    newest = None

    if "new" not in request.args:
        with visit.state.database.read() as session:
            newest = find_newest(session, visit.owner, visit.mount)

    if newest is not None:
        visit.check("read", newest.id)

    return _answer(visit, newest.id if newest else None)


def conversation(conversation_id: str) -> ResponseReturnValue:
    """One conversation; ``?leaf=`` names another branch."""

    return _answer(get_visit(), conversation_id)


def _answer(
    visit: Visit, conversation_id: str | None, *, before: str | None = None
) -> ResponseReturnValue:
    if htmx().boosted:
        return make_htmx_response("", redirect=request.url)

    wanted = request.args.get("view", "page")
    view = wanted if wanted in VIEWS else "page"
    shown = ConversationView()

    if conversation_id is not None:
        leaf = request.args.get("leaf")
        shown = show(visit.state, read_shown(visit, conversation_id, leaf=leaf, before=before))

    values: dict[str, Any] = {"chat": current_chat(view), "conversation": shown}

    if view != "page":
        return render_part("_conversation", **values)

    return render_page("page", **values, **_list(visit, conversation_id))


def _list(visit: Visit, active: str | None, cursor: str | None = None) -> dict[str, Any]:
    with visit.state.database.read() as session:
        page = list_conversations(session, visit.owner, visit.mount, limit=LISTED, cursor=cursor)
        running = find_running(session, [c.id for c in page.conversations])

    items: list[ConversationItem] = [
        make_item(c, visit.language, active=c.id == active, running=c.id in running)
        for c in page.conversations
    ]

    return {"conversations": items, "next_cursor": page.next_cursor}


def list_items() -> ResponseReturnValue:
    """The list of conversations as a fragment; ``?cursor=`` goes on."""

    visit = get_visit()
    values = _list(visit, request.args.get("active"), request.args.get("cursor"))

    return render_part("_conversations", chat=current_chat("page"), **values)


def older(conversation_id: str) -> ResponseReturnValue:
    """The messages in front of ``?before=``; without htmx a page of them."""

    visit = get_visit()
    before = request.args.get("before")

    if not htmx():
        return _answer(visit, conversation_id, before=before)

    shown = read_shown(visit, conversation_id, leaf=request.args.get("leaf"), before=before)

    return render_part(
        "_older",
        chat=current_chat("page"),
        conversation=show(visit.state, shown),
    )


def token() -> ResponseReturnValue:
    """A fresh token of the host's CSRF protection, for a page that has been open for long."""

    response = json_reply({"csrf_token": csrf_token()})
    response.headers["Cache-Control"] = "no-store"

    return response
