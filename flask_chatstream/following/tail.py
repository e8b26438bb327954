"""A viewer at the end of an answer's text, to whom new text is sent by whoever has committed it.

Without it a viewer is a task that wakes, reads, encodes and sends for every piece. Here the piece
is encoded once for everybody, and costs each viewer one system call that waits for nothing. The
viewer's task sleeps meanwhile. It is woken by all that is not text, and when its client does not
take what it is sent: then it goes on by itself until it has everything again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Line(Protocol):
    """A client's connection that a server lends for the time in which it sends nothing itself."""

    @property
    def is_open(self) -> bool:
        """Whether it can be sent to: the head of the response is out."""

    def frame(self, data: bytes) -> bytes:
        """Data in the framing of the response, the same for every line."""

    def send(self, frame: bytes) -> bool:
        """Send what can be sent without waiting; false when that was not all."""

    def flush(self) -> None:
        """Send the rest, however long it takes; raises `OSError` when the client has gone."""


class Tail:
    """A viewer's place at the end of an answer's text; ``encode`` makes a frame of a piece.

    Whatever wakes it also ends its being sent to, so nothing comes between a change and the
    viewer's own look at it.
    """

    __slots__ = ("_change", "_encode", "_line", "is_asleep", "position", "told")

    def __init__(self, line: Line, encode: Callable[[int, str], bytes]):
        self._line = line
        self._encode = encode
        self._change = threading.Event()
        #: Whether its viewer sleeps, so that it may be sent to.
        self.is_asleep = False
        self.position = 0
        #: When it was last sent something, on the monotonic clock.
        self.told = 0.0

    def mark(self) -> None:
        """What changes from now on ends the next sleep; say it before looking."""

        self._change.clear()

    def lie_down(self, position: int) -> bool:
        """Be sent what comes behind a position, unless something has changed since the mark."""

        self.position = position
        self.is_asleep = not self._change.is_set()

        return self.is_asleep

    def sleep(self, seconds: float | None) -> None:
        """Sleep until something other than text changes, or for so many seconds."""

        try:
            self._change.wait(seconds)
        finally:
            self.is_asleep = False

        self._line.flush()

    def wake(self) -> None:
        """Have the viewer look for itself, and send it nothing more until it has."""

        self.is_asleep = False
        self._change.set()

    def make(self, position: int, text: str) -> bytes:
        """A piece of text as it is sent to every tail of the answer."""

        return self._line.frame(self._encode(position, text))

    def take(self, frame: bytes, end: int, now: float) -> None:
        """Send it a piece; ``end`` is the position behind."""

        self.position = end
        self.told = now

        if not self._line.send(frame):
            self.wake()
