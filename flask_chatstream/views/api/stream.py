"""An answer as a stream of JSON events, which resumes by ``Last-Event-ID``.

An event's id is ``<generation>:<offset>``: where the stored text ends, in code points, once the
event is applied. It depends on the stored text alone, so any worker can go on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import msgspec
from flask import Response, request
from werkzeug.wsgi import ClosingIterator

from flask_chatstream.conversations import is_anothers
from flask_chatstream.errors import StorageUnavailable, StreamsTaken
from flask_chatstream.following import End, Live
from flask_chatstream.generation import Joined, Watch
from flask_chatstream.views.events import stream_headers
from flask_chatstream.views.sending import limit_sending
from flask_chatstream.views.visit import Visit

#: Without a blank line, at which some clients would take the last id for an event of its own.
HEARTBEAT = b": still here\n"
HEARTBEAT_SECONDS = 10.0
CHECK_SECONDS = 30.0
#: A client comes back after that, and the site is asked again.
LIFETIME_SECONDS = 60.0
_CURSOR = re.compile(r"(\d{1,18}):(\d{1,9})", re.ASCII)
_encode = msgspec.json.Encoder().encode


class Delta(msgspec.Struct, tag_field="type", tag="delta"):
    """A piece of text behind ``offset``."""

    message_id: str
    offset: int
    delta: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a viewer begins: the live answer, and the text that is known before it."""

    live: Live
    prefix: str
    position: int
    is_reset: bool = False
    #: The conversation's version that the viewer knows.
    version: int | None = None


def watch_answer(visit: Visit) -> Watch:
    """A viewer of the answer's text."""

    return visit.watch(LIFETIME_SECONDS)


class Door:
    """Whether a viewer may go on: its owner has the conversation, and has not been sent away.

    The owner is read again when something other than text has changed, and now and then; the site
    is asked again when the viewer comes back after a minute, as a page's does.
    """

    def __init__(self, visit: Visit, watch: Watch):
        self.watch = watch
        self._visit = visit
        self._checked = time.monotonic()

    def is_open(self) -> bool:
        """Whether the stream goes on."""

        if self.watch.is_revoked or self.watch.is_over:
            return False

        is_fresh = time.monotonic() - self._checked < CHECK_SECONDS

        if is_fresh and not self.watch.has_news:
            return True

        self.watch.look()
        self._checked = time.monotonic()

        return self._is_own()

    def _is_own(self) -> bool:
        """Whether it is the owner's, or gone: then the answer's end is told."""

        visit, id = self._visit, self.watch.topic.conversation_id

        try:
            with visit.state.database.read() as session:
                return not is_anothers(session, visit.owner, visit.mount, id)
        except StorageUnavailable:
            return False


def find_source(
    joined: Joined, last_event_id: str | None, generations: Collection[int]
) -> Source | None:
    """The source of the answer that is being written, for a viewer who has the events up to an id.

    ``generations`` have written it. None when nothing is being written.
    """

    live, last = joined.live, joined.last

    if live is None or last is None:
        return None

    position, is_reset = resume(last_event_id, generations, len(last.text))

    return Source(live, joined.prefix, position, is_reset, joined.branch.conversation.version)


def resume(
    last_event_id: str | None, generations: Collection[int], length: int
) -> tuple[int, bool]:
    """The position after an event's id, and whether the viewer must forget what it has.

    ``generations`` have written the answer, one behind the other's text. An id of another one, of
    a position that is not stored yet, or of another shape is unknown: the viewer gets the whole
    text anew.
    """

    if not last_event_id:
        return 0, False

    match = _CURSOR.fullmatch(last_event_id)

    if match is None or int(match[1]) not in generations or int(match[2]) > length:
        return 0, True

    return int(match[2]), False


def stream_response(visit: Visit, watch: Watch, source: Source, first: bytes = b"") -> Response:
    """The event stream of an answer that is being written, which closes its ``watch``.

    Raises `StreamsTaken` where there is no seat, unless there are ``first`` events to be told:
    then the stream is over after what there is.
    """

    if watch.sit(request.environ):
        watch.follow(source.live.conversation_id, source.version).open()
        frames = _frames(Door(visit, watch), source, first)
        callbacks = [watch.close, limit_sending(request.environ)]
        response = Response(ClosingIterator(frames, callbacks))
    elif first:
        response = Response(first + _opening(source)[0])
    else:
        words = "No event stream is free just now. Please poll, or come back in a moment."
        raise StreamsTaken(words, retry_after=2)

    stream_headers(response)

    return response


def _frames(door: Door, source: Source, first: bytes) -> Iterator[bytes]:
    live = source.live
    opening, position = _opening(source)
    yield first + opening

    while door.is_open():
        change = door.watch.mark()
        text = live.read(position)

        if text:
            yield delta_frame(live.generation_id, live.message_id, position, text)
            position += len(text)
        elif live.end is not None:
            yield end_frame(live.generation_id, live.message_id, position, live.end)
            return
        elif door.watch.is_sent_away(live.generation_id):
            return
        elif not door.watch.wait(change, HEARTBEAT_SECONDS):
            yield HEARTBEAT


def _opening(source: Source) -> tuple[bytes, int]:
    """The first frame, and the position behind it."""

    live = source.live
    ids = (live.generation_id, live.message_id)

    if source.is_reset:
        text = source.prefix + live.read(live.base_offset)
        return reset_frame(*ids, text), len(text)

    rest = source.prefix[source.position :]
    frame = delta_frame(*ids, source.position, rest) if rest else HEARTBEAT

    return frame, max(source.position, len(source.prefix))


def delta_frame(generation_id: int, message_id: str, position: int, text: str) -> bytes:
    """The event of a piece of text."""

    data = _encode(Delta(message_id, position, text))

    return b"id: %d:%d\ndata: %b\n\n" % (generation_id, position + len(text), data)


def reset_frame(generation_id: int, message_id: str, text: str) -> bytes:
    """The event that says: forget what you have, this is the text."""

    data = _encode({"type": "reset", "message_id": message_id, "content": text})

    return b"id: %d:%d\ndata: %b\n\n" % (generation_id, len(text), data)


def end_frame(generation_id: int, message_id: str | None, position: int, end: End) -> bytes:
    """The last event of an answer; without one, of a stream that has nothing to say."""

    value = {"type": "end", "message_id": message_id, "status": end.status}

    if end.error_code is not None:
        value["error_code"] = end.error_code

    return b"id: %d:%d\ndata: %b\n\n" % (generation_id, position, _encode(value))


def value_frame(generation_id: int, value: object) -> bytes:
    """An event in front of the text."""

    return b"id: %d:0\ndata: %b\n\n" % (generation_id, _encode(value))
