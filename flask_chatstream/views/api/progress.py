"""How far an answer is, for those who ask again and again, and as an event stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from flask import Response, request
from flask.typing import ResponseReturnValue

from flask_chatstream.conversations import (
    Reading,
    get_conversation,
    get_message,
    read_changed,
    read_leaf,
    read_messages,
)
from flask_chatstream.errors import NotFound
from flask_chatstream.following import End, Mark
from flask_chatstream.generation import Joined, join, list_generations
from flask_chatstream.views.cursors import Cursor, decode_cursor
from flask_chatstream.views.events import stream_headers
from flask_chatstream.views.visit import Visit, get_visit

from .frames import delta_frame, end_frame, reset_frame
from .stream import find_source, resume, stream_response, watch_answer
from .values import last_updated, message_value, moment


def status(conversation_id: str) -> ResponseReturnValue:
    """Whether an answer is being written, and how far it is."""

    reading = _join(get_visit(), conversation_id).last
    is_active = reading is not None and reading.message.status == "generating"

    return {
        "has_active_generation": is_active,
        "generating_message_id": reading.message.id if is_active and reading else None,
        "last_updated": moment(last_updated(reading)) if reading else None,
        "partial_content": reading.text if is_active and reading else None,
    }


def _join(visit: Visit, conversation_id: str) -> Joined:
    """The end of the branch that is shown, joined if it is being written."""

    read = partial(read_leaf, owner=visit.owner, mount=visit.mount, conversation_id=conversation_id)

    return join(visit.state.runtime, conversation_id, read)


def poll(conversation_id: str) -> ResponseReturnValue:
    """The messages that changed since the ``now`` of the answer before."""

    visit = get_visit()
    visit.state.runtime.settle(conversation_id)
    since = decode_cursor(request.args.get("since"))

    with visit.state.database.read() as session:
        conversation = get_conversation(session, visit.owner, visit.mount, conversation_id)
        since = since.trusted(conversation.version)
        readings = read_changed(session, conversation, since.version, since.message_id)

    running = [r for r in readings if r.message.status == "generating"]
    news = [r for r in readings if not _is_known(r, since)]
    now = Cursor(conversation.version)

    if running:
        visit.state.runtime.audience.note(conversation_id)
        mark = Mark(position=len(running[-1].text))
        now = Cursor(conversation.version, running[-1].message.id, mark)

    return {
        "messages": [message_value(r) for r in news],
        "has_more_generating": bool(running),
        "now": now.encode(),
    }


def _is_known(reading: Reading, since: Cursor) -> bool:
    message = reading.message
    is_same = message.id == since.message_id and message.version <= since.version

    return is_same and since.mark.position == len(reading.text)


def content(message_id: str) -> ResponseReturnValue:
    """A message's text as far as it is written."""

    visit = get_visit()

    with visit.state.database.read() as session:
        found = get_message(session, visit.owner, visit.mount, message_id)

    visit.state.runtime.settle(found.conversation_id)

    with visit.state.database.read() as session:
        readings = read_messages(session, [message_id])

    if not readings:
        raise NotFound

    value = message_value(readings[0])

    if value["is_streaming"]:
        visit.state.runtime.audience.note(found.conversation_id)

    names = ("id", "content", "status", "is_streaming", "last_updated")

    return {name: value[name] for name in names}


def stream(conversation_id: str) -> ResponseReturnValue:
    """Follow the answer that is being written; resumes by ``Last-Event-ID``."""

    visit = get_visit()
    watch = watch_answer(visit)
    joined = _join(visit, conversation_id)
    last_event_id = request.headers.get("Last-Event-ID") or request.args.get("last_event_id")
    generations = _generations(visit, joined, last_event_id)
    source = find_source(joined, last_event_id, generations)

    if source is not None:
        return stream_response(visit, watch, source)

    response = Response(_whole_answer(joined.last, last_event_id, generations))
    stream_headers(response)

    return response


def _generations(visit: Visit, joined: Joined, last_event_id: str | None) -> list[int]:
    """The generations of the last message, as far as an event's id may be of one of them."""

    if joined.last is None:
        return []

    live, (mine, *_) = joined.live, (last_event_id or "").partition(":")

    # Who was here a moment ago has an event of the one that still writes.
    if live is not None and mine in ("", str(live.generation_id)):
        return [live.generation_id]

    with visit.state.database.read() as session:
        return list_generations(session, joined.last.message.id)


def _whole_answer(
    reading: Reading | None, last_event_id: str | None, generations: Sequence[int]
) -> bytes:
    """What a viewer has not got of an answer that has ended, and its end."""

    if reading is None or reading.message.role != "assistant":
        return end_frame(0, None, 0, End("idle"))

    message, text = reading.message, reading.text
    id = generations[-1] if generations else 0
    position, is_reset = resume(last_event_id, generations or [0], len(text))
    end = end_frame(id, message.id, len(text), End(message.status, message.error_code))

    if is_reset:
        return reset_frame(id, message.id, text) + end

    if position < len(text):
        return delta_frame(id, message.id, position, text[position:]) + end

    return end
