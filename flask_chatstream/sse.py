"""Server-sent events on the wire, both ways, as the WHATWG describes them. Pure.

Lines end in CRLF, LF or CR and in nothing else: never ``str.splitlines`` (L10).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\n|\r")


class ServerSentEvent(NamedTuple):
    """A dispatched event; ``id`` is the stream's last event id at that moment."""

    data: str
    event: str = "message"
    id: str = ""


def encode_event(data: str, event: str | None = None, id: str | None = None) -> bytes:
    """One event as bytes; the only encoder there is (S14).

    Line ends in ``data`` arrive as LF. Raises `ValueError` for an ``event`` or ``id`` that would
    break out of its line, or an id with NUL, which clients ignore.
    """

    head = ""
    if id is not None:
        head += f"id: {_single_line('id', id)}\n"
    if event is not None:
        head += f"event: {_single_line('event', event)}\n"

    if "\n" in data or "\r" in data:
        data = "\ndata: ".join(_LINE_END.split(data))

    return f"{head}data: {data}\n\n".encode()


def encode_comment(text: str = "") -> bytes:
    """A comment, which clients ignore: a heartbeat or padding."""

    return "".join(f": {line}\n" for line in _LINE_END.split(text)).encode() + b"\n"


def _single_line(field: str, value: str) -> str:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError(f"the {field} of an event must be one line without NUL")

    return value


class Decoder:
    """Bytes, cut anywhere, into events.

    An event that no blank line ends is dropped, as the standard says, unless ``close`` is called.
    """

    __slots__ = ("_after_cr", "_at_start", "_last_id", "_pending")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._last_id = ""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete."""

        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)

        pending = self._pending
        if pending:
            # Only the seam and the new bytes are searched: a long event is not read twice.
            at_seam = pending[-1].endswith(b"\n") and data.startswith(b"\n")
            if not at_seam and b"\n\n" not in data:
                if data:
                    pending.append(data)
                return []

            pending.append(data)
            data = b"".join(pending)
            pending.clear()

        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            pending.append(rest)

        return self._events(blocks)

    def close(self) -> list[ServerSentEvent]:
        """At the end of the bytes: what an unfinished last event holds."""

        rest = b"".join(self._pending)
        self._pending.clear()

        return self._events([rest]) if rest else []

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
            if not data:
                return data

        self._after_cr = self._after_cr or data.endswith(b"\r")

        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _events(self, blocks: list[bytes]) -> list[ServerSentEvent]:
        if self._at_start and blocks:
            blocks[0] = blocks[0].removeprefix(_BOM)
            self._at_start = False

        events = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                text = block[6:].decode("utf-8", "replace")
                events.append(ServerSentEvent(text, "message", self._last_id))
                continue

            event = self._event(block.decode("utf-8", "replace"))
            if event is not None:
                events.append(event)

        return events

    def _event(self, block: str) -> ServerSentEvent | None:
        kind, data = "", []

        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")

            if field == "data":
                data.append(value)
            elif field == "event":
                kind = value
            elif field == "id" and "\0" not in value:
                self._last_id = value

        if not data:
            return None

        return ServerSentEvent("\n".join(data), kind or "message", self._last_id)
