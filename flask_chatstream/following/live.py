"""What this process knows of one answer that is being written.

A `Live` is fed with committed text only: by the committer where the generation runs, by the
poller elsewhere. Followers read it by position and wait for its next change; at the tail they
cost no query.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from flask_chatstream.concurrency import Pulse

#: Recent pieces are kept apart; that many are joined into one segment.
PIECES = 128


@dataclass(frozen=True, slots=True)
class End:
    """How a generation ended; ``status`` is the message's public status."""

    status: str
    error_code: str | None = None


class Live:
    """Committed text of one running generation from ``base_offset`` on, and its end.

    Positions are code points of the message's text. ``topic`` is beaten along with every change,
    for those who follow the whole conversation. The committer, the poller and viewers who have
    just read the database all publish, so the text and its length change under a lock.
    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "_pieces",
        "_pulse",
        "_segments",
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
        topic: Pulse,
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

    def publish(self, start: int, text: str) -> bool:
        """Add committed text at a position; what is already known of it is left out.

        Whether anything was new, and so whether the followers were woken.
        """

        with self._lock:
            fresh = text[self.length - start :] if start < self.length else text

            if not fresh or start > self.length or self.end is not None:
                return False

            self._pieces.append(fresh)
            self.length += len(fresh)

            if len(self._pieces) >= PIECES:
                self._pack()

        self._beat()

        return True

    def finish(self, end: End) -> None:
        """Tell the end; nothing comes after it."""

        with self._lock:
            if self.end is not None:
                return

            self.end = end

        self._beat()

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

    def mark(self) -> threading.Event:
        """The next change; take it before reading."""

        return self._pulse.mark()

    def wake(self) -> None:
        """Wake the followers though nothing has changed, to say that all is well."""

        self._beat()

    def _pack(self) -> None:
        self._segments.append("".join(self._pieces))
        self._pieces = []

    def _beat(self) -> None:
        self._pulse.beat()
        self.topic.beat()
