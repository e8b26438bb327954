"""The events of an answer's text as JSON on the wire.

An event's id is ``<generation>:<offset>``: where the stored text ends, in code points, once the
event is applied. It depends on the stored text alone, so any worker can go on.
"""

from __future__ import annotations

import msgspec

from flask_chatstream.following import End

#: Without a blank line, at which some clients would take the last id for an event of its own.
HEARTBEAT = b": still here\n"
_encode = msgspec.json.Encoder().encode


class Delta(msgspec.Struct, tag_field="type", tag="delta"):
    """A piece of text behind ``offset``."""

    message_id: str
    offset: int
    delta: str


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
