"""What this process knows of one answer that is being written.

A `Live` is fed with committed text only: by the committer where the generation runs, by the
poller elsewhere. Followers read it by position and wait for its next change; at the tail they
cost no query.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from flask_chatstream.concurrency import Pulse

from .tail import Tail
from .topic import Topic

#: Recent pieces are kept apart; that many are joined into one segment.
PIECES = 128
#: Longest text whose frame is kept for the next viewer, in code points.
SHARED = 4096


@dataclass(frozen=True, slots=True)
class End:
    """How a generation ended; ``status`` is the message's public status."""

    status: str
    error_code: str | None = None


class Frame(NamedTuple):
    """A piece of an answer's text, encoded; from where it goes and to where."""

    start: int
    end: int
    data: bytes


class Live:
    """Committed text of one running generation from ``base_offset`` on, and its end.

    Positions are code points of the message's text. ``topic`` is beaten along with every change,
    for those who follow the whole conversation. The committer, the poller and viewers who have
    just read the database all publish, so the text and its length change under a lock. Under it
    new text also goes to the `Tail` of each viewer who has all that came before.
    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "_pieces",
        "_pulse",
        "_segments",
        "_shared",
        "_tails",
        "base_offset",
        "conversation_id",
        "end",
        "generation_id",
        "length",
        "message_id",
        "topic",
    )

    def __init__(
        self,
        generation_id: int,
        message_id: str,
        conversation_id: str,
        base_offset: int,
        topic: Topic,
    ):
        self.generation_id = generation_id
        self.message_id = message_id
        self.conversation_id = conversation_id
        self.base_offset = base_offset
        self.length = base_offset
        self.end: End | None = None
        self.topic = topic
        self._segments: list[str] = []
        self._pieces: list[str] = []
        self._pulse = Pulse()
        self._lock = threading.Lock()
        self._shared: Frame | None = None
        #: Those who sleep, and some who have been woken since.
        self._tails: set[Tail] = set()

    def publish(self, start: int, text: str) -> bool:
        """Add committed text at a position; what is already known of it is left out.

        Whether anything was new, and so whether the followers were woken.
        """

        with self._lock:
            fresh = text[self.length - start :] if start < self.length else text

            if not fresh or start > self.length or self.end is not None:
                return False

            self._add(fresh)

        self._pulse.beat()
        self.topic.beat_text()

        return True

    def finish(self, end: End) -> None:
        """Tell the end; nothing comes after it."""

        with self._lock:
            if self.end is not None:
                return

            self.end = end

        self.wake()

    def read(self, after: int) -> str:
        """The committed text behind a position."""

        with self._lock:
            return self._read(after)

    def _read(self, after: int) -> str:
        missing = self.length - max(after, self.base_offset)

        if missing <= 0:
            return ""

        found: list[str] = []

        for source in (self._pieces, self._segments):
            for piece in reversed(source):
                if missing <= 0:
                    break
                found.append(piece[-missing:] if missing < len(piece) else piece)
                missing -= len(piece)

        found.reverse()

        return found[0] if len(found) == 1 else "".join(found)

    def frame(self, after: int, encode: Callable[[int, str], bytes]) -> Frame | None:
        """The committed text behind a position, encoded once for all who ask from there.

        Whoever asks the same live encodes in the same way.
        """

        shared = self._shared

        if shared is not None and shared.start == after and shared.end == self.length:
            return shared

        text = self.read(after)

        if not text:
            return None

        frame = Frame(after, after + len(text), encode(after, text))
        self._shared = frame if len(text) <= SHARED else None

        return frame

    def send_to(self, tail: Tail, position: int) -> bool:
        """Have text behind a position sent by whoever commits it; false when there is some."""

        with self._lock:
            if self.end is not None or position != self.length or not tail.lie_down(position):
                return False

            self._tails.add(tail)

            return True

    def forget(self, tail: Tail) -> None:
        """Send to it no more."""

        with self._lock:
            self._tails.discard(tail)

    def mark(self) -> threading.Event:
        """The next change; take it before reading."""

        return self._pulse.mark()

    def wake(self) -> None:
        """Wake the followers though there is no text: it has ended, or to say that all is well."""

        self._pulse.beat()
        self.topic.beat()

    def _add(self, text: str) -> None:
        start = self.length
        self._pieces.append(text)
        self.length += len(text)

        if len(self._pieces) >= PIECES:
            self._pack()

        if self._tails:
            self._send(start, text)

    def _pack(self) -> None:
        self._segments.append("".join(self._pieces))
        self._pieces = []

    def _send(self, start: int, text: str) -> None:
        """Send a piece to all who sleep; who has been woken meanwhile looks for itself."""

        awake = []
        frame = b""
        now = time.monotonic()

        for tail in self._tails:
            if tail.is_asleep:
                frame = frame or tail.make(start, text)
                tail.take(frame, self.length, now)

            if not tail.is_asleep:
                awake.append(tail)

        self._tails.difference_update(awake)
