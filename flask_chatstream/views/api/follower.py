"""One viewer of an answer's text, from its first frame to the end.

It fetches the text itself whenever there is some. Where its server lends a `Line`, it only does so
until it has everything: then it sleeps, and whoever commits more sends it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

from flask_chatstream.conversations import is_anothers
from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.following import Line, Live, Tail
from flask_chatstream.generation import Watch
from flask_chatstream.views.visit import Visit

from .frames import HEARTBEAT, delta_frame, end_frame

HEARTBEAT_SECONDS = 10.0
CHECK_SECONDS = 30.0


class Door:
    """Whether a viewer may go on: its owner has the conversation, and has not been sent away.

    The owner is read again when something other than text has changed, and now and then; the site
    is asked again when the viewer comes back after a minute, as a page's does.
    """

    def __init__(self, visit: Visit, watch: Watch):
        self.watch = watch
        self._visit = visit
        self._due = time.monotonic() + CHECK_SECONDS

    def is_open(self) -> bool:
        """Whether the stream goes on."""

        if self.watch.is_revoked or self.watch.is_over:
            return False

        if time.monotonic() < self._due and not self.watch.has_news:
            return True

        self.watch.look()
        self._due = time.monotonic() + CHECK_SECONDS

        return self._is_own()

    def left(self) -> float:
        """Seconds until it is to be asked again."""

        return max(0.0, self._due - time.monotonic())

    def _is_own(self) -> bool:
        """Whether it is the owner's, or gone: then the answer's end is told."""

        visit, topic = self._visit, self.watch.topic
        place, id = topic.place, topic.conversation_id

        if place is not None:
            return place == (visit.owner, visit.mount)

        try:
            with visit.state.database.read() as session:
                return not is_anothers(session, visit.owner, visit.mount, id)
        except StorageUnavailable:
            return False


class Follower:
    """The frames behind a position of an answer that is being written."""

    def __init__(self, door: Door, live: Live, position: int):
        self._door = door
        self._live = live
        self._position = position
        self._encode = partial(delta_frame, live.generation_id, live.message_id)
        self._line: Line | None = None
        self._tail: Tail | None = None
        self._told = time.monotonic()

    def lend(self, line: Line) -> None:
        """Have text sent by whoever commits it, from when the head of the response is out."""

        self._line = line

    def frames(self, opening: bytes) -> Iterator[bytes]:
        """All frames, the first one given."""

        yield opening
        del opening

        try:
            yield from self._follow()
        finally:
            self._leave()

    def _follow(self) -> Iterator[bytes]:
        live, watch = self._live, self._door.watch

        while True:
            change = self._mark()

            if not self._door.is_open():
                return

            frame = live.frame(self._position, self._encode)

            if frame is not None:
                yield frame.data
                self._position, self._told = frame.end, time.monotonic()
            elif live.end is not None:
                yield end_frame(live.generation_id, live.message_id, self._position, live.end)
                return
            elif watch.is_sent_away(live.generation_id):
                return
            elif not self._sleep(change):
                yield HEARTBEAT
                self._told = time.monotonic()

    def _mark(self) -> threading.Event | None:
        """The next change, before a look; none where the tail has it."""

        if self._tail is None and self._line is not None and self._line.is_open:
            self._tail = Tail(self._line, self._encode)
            self._door.watch.topic.add(self._tail)

        if self._tail is None:
            return self._door.watch.mark()

        self._tail.mark()

        return None

    def _sleep(self, change: threading.Event | None) -> bool:
        """Until there is something to look at; false when the client has heard nothing for long."""

        left = self._told + HEARTBEAT_SECONDS - time.monotonic()

        if left > 0:
            if change is not None:
                self._door.watch.wait(change, left)
            elif self._tail is not None:
                self._lie_down(self._tail, min(left, self._door.left()))

        # Whoever is woken soon before its time is not woken again by itself.
        return time.monotonic() < self._told + HEARTBEAT_SECONDS / 2

    def _lie_down(self, tail: Tail, seconds: float) -> None:
        if self._live.send_to(tail, self._position):
            tail.sleep(self._door.watch.left(seconds))
            self._position, self._told = tail.position, max(self._told, tail.told)

    def _leave(self) -> None:
        if self._tail is not None:
            self._door.watch.topic.remove(self._tail)
            self._live.forget(self._tail)
