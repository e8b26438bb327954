"""Following a conversation: the event stream, the poll, and the poller of htmx alone.

Everything that needs the request is taken before the stream begins. A stream ends after a minute,
so that the client comes back with its cursor. Without a seat nothing waits: a stream or a long
poll is a poll that is answered at once, and says when to ask again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue

from flask_chatstream.errors import NotFound, StorageUnavailable
from flask_chatstream.htmx import htmx
from flask_chatstream.sse import encode_comment, encode_event

from .body import Frames, FramesResponse
from .cursors import Cursor, decode_cursor
from .differences import compare
from .sending import limit_sending
from .showing import read_shown, show
from .templates import render_part
from .viewer import Viewer
from .visit import Visit, current_chat, get_visit

#: Fills what proxies and old browsers hold back before they hand anything on.
PADDING = encode_comment(" " * 2048)
HEARTBEAT_SECONDS = 10.0
#: A proxy that holds streams back passes on what comes with the headers: a later piece is proof.
PROOF_SECONDS = 2.0
LONGEST_WAIT = 20.0
NEXT_MS = 500


def events(conversation_id: str) -> ResponseReturnValue:
    """What has changed since ``?cursor=``, in the dress that the request asks for."""

    visit = get_visit()
    cursor = decode_cursor(request.headers.get("Last-Event-ID") or request.args.get("cursor"))

    if htmx() and "poll" in request.args:
        return _poll_by_htmx(visit, conversation_id, cursor)

    viewer = Viewer(visit, conversation_id, cursor)

    if "text/event-stream" not in request.headers.get("Accept", ""):
        return _poll(viewer, _wait())

    return _stream(viewer) if viewer.watch.sit(request.environ) else _poll(viewer, 0.0)


def _wait() -> float:
    wait = request.args.get("wait", 0.0, type=float)

    return min(wait, LONGEST_WAIT) if wait > 0 else 0.0


def _poll_by_htmx(visit: Visit, conversation_id: str, cursor: Cursor) -> ResponseReturnValue:
    shown = read_shown(visit, conversation_id)
    difference = compare(visit.state, shown, cursor)
    view = show(visit.state, shown)
    passed = difference.passed.id if difference.passed else None
    growing = [m for m in view.messages if m.running and m.id == cursor.message_id]
    growing += [m for m in view.messages if m.id == passed]

    return render_part(
        "_poll",
        chat=current_chat("page"),
        conversation=view,
        changed=[*difference.changed, *growing],
        added=difference.added,
    )


def _poll(viewer: Viewer, wait: float) -> ResponseReturnValue:
    with viewer.watch as watch:
        watch.open()
        fragments = viewer.next(wait if wait and watch.sit(request.environ) else 0.0)

    response = make_response(fragments or "", 200 if fragments else 204)
    response.headers["X-Cursor"] = viewer.cursor.encode()
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")

    if viewer.running:
        response.headers["X-Next"] = str(NEXT_MS)

    return response


def _stream(viewer: Viewer) -> ResponseReturnValue:
    viewer.watch.open()
    callbacks = [viewer.watch.close, limit_sending(request.environ)]
    response = FramesResponse(Frames(_frames(viewer), callbacks))
    stream_headers(response)

    return response


def stream_headers(response: Response) -> None:
    """The headers of an event stream that nobody on the way may hold back or keep."""

    response.mimetype = "text/event-stream"
    response.headers["Cache-Control"] = "no-store, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    response.vary.update(("Accept", "Cookie"))


def _frames(viewer: Viewer) -> Iterator[bytes]:
    beat = time.monotonic() + PROOF_SECONDS
    yield PADDING + _heartbeat()

    while True:
        try:
            fragments = viewer.next(max(0.0, beat - time.monotonic()))
        except NotFound:
            yield encode_event("{}", event="gone")
            return
        except StorageUnavailable:
            return

        if fragments:
            yield encode_event(fragments, id=viewer.cursor.encode())

        if not viewer.running:
            yield encode_event("{}", event="end", id=viewer.cursor.encode())
            return

        if time.monotonic() >= beat:
            yield _heartbeat()
            beat = time.monotonic() + HEARTBEAT_SECONDS

        if viewer.is_sent_away or viewer.watch.is_over:
            return


def _heartbeat() -> bytes:
    return encode_event(f'{{"now": {time.time_ns() // 1_000_000}}}', event="hb")
