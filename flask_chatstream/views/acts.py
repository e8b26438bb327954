"""What a person does, by POST: forms that work alone, with htmx, and with our script.

A plain form is answered with 303 to the page, our script (field ``live``) with 204 and headers,
htmx alone with fragments.
"""

from __future__ import annotations

from flask import Response, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_chatstream.conversations import Asked
from flask_chatstream.generation import remove
from flask_chatstream.htmx import htmx
from flask_chatstream.htmx import make_response as make_htmx_response

from .questions import again, question, rest, send
from .showing import read_shown, show
from .templates import render_part
from .visit import Visit, current_chat, get_visit


def start() -> ResponseReturnValue:
    """Begin a conversation with a first question."""

    return _ask(None)


def ask(conversation_id: str) -> ResponseReturnValue:
    """Ask at the end of a conversation."""

    return _ask(conversation_id)


def _ask(conversation_id: str | None) -> ResponseReturnValue:
    visit = get_visit()
    form = request.form
    wanted = question(visit, form.get("content"), conversation_id, form.get("key"))
    asked = send(visit, wanted)

    if htmx() and "live" not in form and conversation_id is not None:
        return _sent(visit, asked)

    return _answer(asked)


def _answer(asked: Asked) -> ResponseReturnValue:
    """Where the answer is being written, in the dress of the request."""

    page = url_for(".conversation", conversation_id=asked.conversation_id)

    if not htmx():
        return redirect(f"{page}#latest", 303)

    if "live" not in request.form:
        return make_htmx_response("", 204, redirect=page)

    return _no_content(
        {
            "X-Conversation": asked.conversation_id,
            "X-Location": page,
            "X-Events": url_for(".events", conversation_id=asked.conversation_id),
            "X-Messages-Url": url_for(".ask", conversation_id=asked.conversation_id),
            "X-Message": asked.message_id or "",
        }
    )


def _no_content(headers: dict[str, str]) -> Response:
    response = make_response("", 204)
    response.headers.update(headers)

    return response


def _sent(visit: Visit, asked: Asked) -> ResponseReturnValue:
    """The new messages for htmx alone, with the poller that follows them."""

    shown = read_shown(visit, asked.conversation_id)
    view = show(visit.state, shown)
    ids = [message.id for message in view.messages]
    first = ids.index(asked.user_message_id) if asked.user_message_id in ids else len(ids)

    return render_part(
        "_sent",
        chat=current_chat("page"),
        conversation=view,
        changed=view.messages[max(0, first - 1) : first],
        added=view.messages[first:],
    )


def cancel(message_id: str) -> ResponseReturnValue:
    """Stop an answer; the stop is stored before the reply (D7)."""

    visit = get_visit()
    ended = visit.state.runtime.cancel(visit.owner, visit.mount, message_id)

    return _done(ended.conversation_id)


def regenerate(message_id: str) -> ResponseReturnValue:
    """Answer the same question again, beside the answer that there is."""

    visit = get_visit()
    asked = send(visit, again(visit, message_id, request.form.get("key")))

    return _answer(asked) if "live" in request.form else _done(asked.conversation_id)


def go_on(message_id: str) -> ResponseReturnValue:
    """Continue an answer that broke off, behind its text."""

    visit = get_visit()
    asked = send(visit, rest(visit, message_id, request.form.get("key")))

    return _answer(asked) if "live" in request.form else _done(asked.conversation_id)


def _done(conversation_id: str) -> ResponseReturnValue:
    """An act on a conversation is done: back to it; our script knows by its stream."""

    page = url_for(".conversation", conversation_id=conversation_id)

    if not htmx():
        return redirect(f"{page}#latest", 303)

    if "live" in request.form:
        return _no_content({"X-Conversation": conversation_id})

    return make_htmx_response("", 204, redirect=page)


def delete(conversation_id: str) -> ResponseReturnValue:
    """Remove a conversation with all that hangs on it."""

    visit = get_visit()
    remove(visit.state.runtime, visit.owner, visit.mount, conversation_id)

    if not htmx():
        return redirect(url_for(".index"), 303)

    if "live" in request.form:
        return _no_content({"X-Conversation": conversation_id})

    return make_htmx_response("", 204, redirect=url_for(".index"))
