"""Asking through the API: ``POST /chat``, and messages added to a conversation."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from flask_chatstream.access import request_values
from flask_chatstream.conversations import (
    Ask,
    Asked,
    Reading,
    Turn,
    check_key,
    check_question,
    get_message,
    read_messages,
)
from flask_chatstream.errors import Conflict, StreamsTaken
from flask_chatstream.following import Live
from flask_chatstream.generation import Runtime, Watch
from flask_chatstream.views.questions import again, rest, send
from flask_chatstream.views.visit import Visit, get_visit

from .bodies import ChatBody, MessageBody, load_body
from .frames import value_frame
from .stream import Source, stream_response, watch_answer
from .values import asked_value, error_value, message_value


def chat() -> ResponseReturnValue:
    """Ask, and get the answer as it is written, or whole with ``stream`` false."""

    visit = get_visit()
    body = load_body(ChatBody)
    visit.check("ask", body.conversation_id)
    wanted = Ask(
        owner=visit.owner,
        mount=visit.mount,
        turns=_turns(visit, body),
        conversation_id=body.conversation_id,
        from_root=body.messages is not None,
        key=check_key(request.headers.get("Idempotency-Key")),
        model=body.model,
        temperature=body.temperature,
        details=body.metadata,
    )

    return _streamed(visit, wanted) if body.stream else _whole(visit, wanted)


def _turns(visit: Visit, body: ChatBody) -> tuple[Turn, ...]:
    limit = visit.state.settings.max_message_chars

    if body.message is not None:
        return (Turn("user", check_question(body.message, limit)),)

    turns = body.messages or []

    return tuple(Turn(turn.role, check_question(turn.content, limit)) for turn in turns)


def _join(visit: Visit, asked: Asked) -> Live:
    if asked.generation_id is None or asked.message_id is None:
        raise Conflict("This key was used for a message without an answer.", code="key_reused")

    if asked.base_offset:
        raise Conflict("This key was used to continue an answer.", code="key_reused")

    follow = visit.state.runtime.follow

    return follow.join(asked.generation_id, asked.message_id, asked.conversation_id, 0)


def _streamed(visit: Visit, wanted: Ask) -> Response:
    watch = watch_answer(visit)
    asked = send(visit, wanted)
    live = _join(visit, asked)
    start = value_frame(live.generation_id, {"type": "start", **asked_value(asked)})

    return stream_response(visit, watch, Source(live, "", 0, version=asked.version), start)


def _whole(visit: Visit, wanted: Ask) -> ResponseReturnValue:
    with visit.watch() as watch:
        if not watch.sit(request.environ):
            raise _refusal(visit.state.runtime)

        asked = send(visit, wanted)
        live = _join(visit, asked)
        watch.follow(asked.conversation_id).open()
        _wait(visit.state.runtime, live, watch)

    return _told(visit, asked)


def _refusal(runtime: Runtime) -> StreamsTaken:
    """Why nobody may wait here, said before anything is stored."""

    if runtime.seats.are_there(request.environ):
        words = "Too many are waiting for an answer just now. Please come back in a moment."
        return StreamsTaken(words, retry_after=2)

    return StreamsTaken(
        'This server lets nobody wait for an answer. Ask with "stream": true, which here ends '
        "after its first event, and poll the conversation's status or the message's content."
    )


def _wait(runtime: Runtime, live: Live, watch: Watch) -> None:
    """Wait for the end; raises `Conflict` when the owner is sent away, and `ShuttingDown`."""

    while True:
        change = watch.mark()

        if watch.is_revoked:
            words = "You have signed out meanwhile. The answer is written on; ask for it again."
            raise Conflict(words, code="owner_changed")

        if live.end is not None:
            return

        if runtime.sends_away(live.generation_id):
            runtime.admit()

        change.wait()


def _told(visit: Visit, asked: Asked) -> ResponseReturnValue:
    reading = _read(visit, asked.message_id or "")
    value: dict[str, Any] = {**asked_value(asked), "status": reading.message.status}
    value["content"] = reading.text
    value["message"] = message_value(reading)

    if reading.message.status == "error":
        error = error_value(reading.message.error_code)

        return {"error": {**error, "request_id": request_values()["id"]}, **value}, 502

    return value


def _read(visit: Visit, message_id: str) -> Reading:
    with visit.state.database.read() as session:
        get_message(session, visit.owner, visit.mount, message_id)
        (reading,) = read_messages(session, [message_id])

    return reading


def add_message(conversation_id: str) -> ResponseReturnValue:
    """Store a message; with ``generate`` also have it answered."""

    visit = get_visit()
    body = load_body(MessageBody)
    text = check_question(body.content, visit.state.settings.max_message_chars)
    asked = send(
        visit,
        Ask(
            owner=visit.owner,
            mount=visit.mount,
            turns=(Turn(body.role, text),),
            conversation_id=conversation_id,
            parent_id=body.parent_id,
            key=check_key(request.headers.get("Idempotency-Key")),
            answer=body.generate,
            details=body.metadata,
        ),
    )

    return asked_value(asked), 201


def cancel(message_id: str) -> ResponseReturnValue:
    """Stop an answer; an answer that has ended keeps its state, which is no error."""

    visit = get_visit()
    ended = visit.state.runtime.cancel(visit.owner, visit.mount, message_id)

    return {
        "message_id": ended.message_id,
        "conversation_id": ended.conversation_id,
        "status": ended.status,
        "stopped": ended.won,
    }


def regenerate(message_id: str) -> ResponseReturnValue:
    """Write another answer to the same question, beside this one."""

    visit = get_visit()
    wanted = again(visit, message_id, request.headers.get("Idempotency-Key"))

    return asked_value(send(visit, wanted)), 201


def go_on(message_id: str) -> ResponseReturnValue:
    """Continue an answer that broke off, behind its text and in the same message."""

    visit = get_visit()
    wanted = rest(visit, message_id, request.headers.get("Idempotency-Key"))

    return asked_value(send(visit, wanted)), 201
