"""An answer as a stream of JSON events, which resumes by ``Last-Event-ID``."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from flask import Response, request

from flask_chatstream.errors import StreamsTaken
from flask_chatstream.following import Live
from flask_chatstream.generation import Joined, Watch
from flask_chatstream.views.body import Frames, FramesResponse
from flask_chatstream.views.events import stream_headers
from flask_chatstream.views.sending import limit_sending
from flask_chatstream.views.visit import Visit

from .follower import Door, Follower
from .frames import HEARTBEAT, delta_frame, reset_frame

#: A client comes back after that, and the site is asked again.
LIFETIME_SECONDS = 60.0
_CURSOR = re.compile(r"(\d{1,18}):(\d{1,9})", re.ASCII)


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

    opening, position = open_frames(source)

    if watch.sit(request.environ):
        watch.follow(source.live.conversation_id, source.version).open()
        follower = Follower(Door(visit, watch), source.live, position)
        callbacks = (watch.close, limit_sending(request.environ))
        frames = Frames(follower.frames(first + opening), callbacks, follower.lend)
        response: Response = FramesResponse(frames)
    elif first:
        response = Response(first + opening)
    else:
        words = "No event stream is free just now. Please poll, or come back in a moment."
        raise StreamsTaken(words, retry_after=2)

    stream_headers(response)

    return response


def open_frames(source: Source) -> tuple[bytes, int]:
    """The first frame, and the position behind it."""

    live = source.live
    ids = (live.generation_id, live.message_id)

    if source.is_reset:
        text = source.prefix + live.read(live.base_offset)
        return reset_frame(*ids, text), len(text)

    rest = source.prefix[source.position :]
    frame = delta_frame(*ids, source.position, rest) if rest else HEARTBEAT

    return frame, max(source.position, len(source.prefix))
