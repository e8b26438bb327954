"""A worker's answer to ``flask chatstream doctor``; for everybody else there is nothing here."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Response, current_app, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wsgi import ClosingIterator

from flask_chatstream.doctor import HEADER, Facts, encode_facts, find_keys, gather, is_permit
from flask_chatstream.errors import NotFound
from flask_chatstream.sse import encode_event
from flask_chatstream.state import get_state
from flask_chatstream.views.events import PADDING, stream_headers

#: Between two pieces, in seconds, and the most of them.
PAUSE = 0.3
MOST_PIECES = 10


def doctor() -> ResponseReturnValue:
    """What this worker says of itself, and a stream of timed pieces where it streams."""

    state, keys = get_state(), find_keys(current_app.config)

    if not is_permit(keys, request.headers.get(HEADER, "")):
        raise NotFound("There is nothing at this address.")

    facts = gather(state, keys, request.environ, url_for(".index", _external=True))
    wanted = min(request.args.get("pieces", 0, type=int), MOST_PIECES)
    seats = state.runtime.seats
    is_seated = wanted > 0 and seats.take(request.environ)
    after = [seats.leave] if is_seated else []
    response = Response(ClosingIterator(_frames(facts, wanted if is_seated else 0), after))
    stream_headers(response)

    return response


def _frames(facts: Facts, count: int) -> Iterator[bytes]:
    began = time.monotonic()
    yield PADDING + encode_event(encode_facts(facts), event="facts")

    for number in range(count):
        if number:
            time.sleep(PAUSE)

        yield encode_event(f"{time.monotonic() - began:.3f}", event="piece")
