"""Reading an HTTP/1.1 response out of bytes that come cut anywhere. Pure.

As strict as RFC 9112 asks of a client: what is ambiguous is an error, and every part that a peer
could make endless has a limit.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

MAX_HEAD = 64 * 1024
_MAX_CHUNK_LINE = 4096
_MAX_TRAILERS = 16 * 1024

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([^\r\n\0]*))?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_FIRST_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
#: The line end of the chunk before belongs to this line, so that data is given out at once.
_NEXT_CHUNK = re.compile(rb"\r\n" + _FIRST_CHUNK.pattern)


class ProtocolError(Exception):
    """The peer does not speak HTTP/1.1 as it must, or left before the end."""


class Head(NamedTuple):
    """A response's status line and headers."""

    status: int
    headers: list[tuple[bytes, bytes]]


class HeadReader:
    """Feed it until it gives the head of the final response; ``rest`` then begins the body."""

    def __init__(self) -> None:
        self._buffer = b""
        self.rest = b""

    def feed(self, data: bytes) -> Head | None:
        """The head once it is whole; interim (1xx) ones are skipped."""

        self._buffer += data

        while True:
            top, blank, rest = self._buffer.partition(b"\r\n\r\n")
            if len(top) > MAX_HEAD:
                raise ProtocolError("the response's head is too long")

            if not blank:
                return None

            head = parse_head(top)
            if head.status == 101:
                raise ProtocolError("the server switched protocols unasked")

            if head.status >= 200:
                self.rest = rest
                return head

            self._buffer = rest


def parse_head(top: bytes) -> Head:
    """The status and headers in the bytes before the blank line."""

    first, *lines = top.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise ProtocolError("no HTTP/1.1 status line")

    headers = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise ProtocolError("a header line that is none")

        headers.append((header[1], header[2]))

    return Head(int(status[1]), headers)


class Body(Protocol):
    """The framing of a body: bytes off the wire in, bytes of the body out."""

    complete: bool

    def feed(self, data: bytes) -> bytes:
        """The part of the body in these bytes; raises `ProtocolError`."""

    def end(self) -> None:
        """The peer closed; raises `ProtocolError` when something is missing."""


def make_body(head: Head) -> Body:
    """The framing that a head announces, in RFC 9112's order of precedence."""

    if head.status in (204, 304):
        return Counted(0)

    codings = _values(head, b"transfer-encoding")
    if codings:
        if codings != [b"chunked"]:
            raise ProtocolError("a transfer coding other than chunked")

        return Chunked()

    lengths = _values(head, b"content-length")
    if not lengths:
        return UntilClosed()

    if len(set(lengths)) > 1 or re.fullmatch(rb"[0-9]{1,15}", lengths[0]) is None:
        raise ProtocolError("an invalid Content-Length")

    return Counted(int(lengths[0]))


def _values(head: Head, name: bytes) -> list[bytes]:
    found = b",".join(value for key, value in head.headers if key.lower() == name)

    return [value.strip().lower() for value in found.split(b",") if value.strip()]


class Counted:
    """A body of ``Content-Length`` bytes."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = length == 0

    def feed(self, data: bytes) -> bytes:
        """See `Body`; bytes behind the body are dropped."""

        data = data[: self._left]
        self._left -= len(data)
        self.complete = self._left == 0

        return data

    def end(self) -> None:
        """See `Body`."""

        if not self.complete:
            raise ProtocolError(f"the peer closed {self._left} bytes before the end")


class UntilClosed:
    """A body that lasts until the peer closes."""

    complete = False

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""

        return data

    def end(self) -> None:
        """See `Body`."""

        self.complete = True


class Chunked:
    """The chunked coding; extensions and trailers are read and dropped."""

    def __init__(self) -> None:
        self.complete = False
        self._line = _FIRST_CHUNK
        self._left = 0
        self._partial = b""
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """See `Body`; what is there of a chunk is given before it is whole."""

        if self._partial:
            data, self._partial = self._partial + data, b""

        pieces: list[bytes] = []
        position = 0

        while not self._in_trailers:
            if self._left:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if self._left:
                    break

            line = self._line.match(data, position)
            if line is None:
                self._keep_partial_line(data[position:])
                break

            self._line = _NEXT_CHUNK
            self._left = int(line[1], 16)
            self._in_trailers = not self._left
            position = line.end()

        if self._in_trailers:
            self._skip_trailers(data[position:])

        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        """See `Body`."""

        if not self.complete:
            raise ProtocolError("the peer closed before the last chunk")

    def _keep_partial_line(self, rest: bytes) -> None:
        if b"\n" in rest[2:] or len(rest) > _MAX_CHUNK_LINE:
            raise ProtocolError("no chunk size where one must be")

        self._partial = rest

    def _skip_trailers(self, rest: bytes) -> None:
        self.complete = rest.startswith(b"\r\n") or b"\r\n\r\n" in rest
        self._partial = b"" if self.complete else rest

        if len(self._partial) > _MAX_TRAILERS:
            raise ProtocolError("the trailers are too long")
