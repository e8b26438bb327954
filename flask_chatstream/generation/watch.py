"""Somebody who watches a conversation, from a request's beginning to the end of its text."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from flask_chatstream.alarm import Alarm, find_alarm
from flask_chatstream.following import Topic

from .runtime import Runtime


class Watch:
    """One viewer: of which conversation, on which seat, until when, and whether it may go on.

    Made where a request begins, so that a log-out from then on is heard of. ``owner`` None is the
    site's own code, which nobody sends away; ``lifetime`` is in seconds. Whoever leaves its
    ``with`` has given back the seat and is counted no more::

        with Watch(runtime, "user:1", lifetime=60) as watch:
            watch.follow(conversation_id).open()

            while not watch.is_over and not watch.is_sent_away(generation_id):
                change = watch.mark()
                ...
                watch.wait(change)
    """

    topic: Topic

    def __init__(self, runtime: Runtime, owner: str | None = None, lifetime: float | None = None):
        self._runtime = runtime
        self._owner = owner
        self._mark = None if owner is None else runtime.revocations.mark(owner)
        self._until = None if lifetime is None else time.monotonic() + lifetime
        self._seen = 0
        self._is_seated = False
        self._is_counted = False
        self._alarm: Alarm | None = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def sit(self, environ: Mapping[str, Any]) -> bool:
        """Take a seat, on which a request may wait; whether there was one."""

        self._is_seated = self._is_seated or self._runtime.seats.take(environ)

        return self._is_seated

    def follow(self, conversation_id: str, version: int | None = None) -> Watch:
        """Take up a conversation before reading it, or with the ``version`` that was read.

        What changes afterwards is news.
        """

        self.topic = self._runtime.follow.topic(conversation_id)
        self._alarm = find_alarm(self.topic.beat_text)

        if version is not None:
            self.topic.read(version)

        self.look()

        return self

    def open(self) -> None:
        """Be counted as a viewer, to whom other workers' text is brought."""

        if not self._is_counted:
            self._is_counted = True
            self.topic.enter()

        self._runtime.poller.ensure()

    def close(self) -> None:
        """Be counted no longer, and leave the seat."""

        if self._alarm is not None:
            self._alarm.close()

        if self._is_counted:
            self._is_counted = False
            self.topic.leave()
            self._runtime.audience.note(self.topic.conversation_id)

        if self._is_seated:
            self._is_seated = False
            self._runtime.seats.leave()

    def mark(self) -> threading.Event:
        """The next change; take it before looking."""

        return self.topic.mark()

    def wait(self, change: threading.Event, most: float | None = None) -> bool:
        """Wait for a marked change, ``most`` seconds at most; false when the time was over."""

        left, alarm = self.left(most), self._alarm

        if alarm is None or left is None:
            return change.wait(left)

        alarm.put_off(left)
        change.wait()

        return not alarm.has_rung

    def look(self) -> None:
        """What has changed until now is about to be read."""

        self._seen = self.topic.changes

    @property
    def has_news(self) -> bool:
        """Whether something other than text has changed since the last look."""

        return self.topic.changes != self._seen

    def left(self, most: float | None = None) -> float | None:
        """How long it may wait, in seconds, ``most`` at most; None for ever."""

        if self._until is None:
            return most

        left = max(0.0, self._until - time.monotonic())

        return left if most is None else min(left, most)

    @property
    def is_over(self) -> bool:
        """Whether its lifetime is."""

        return self.left() == 0.0

    @property
    def is_revoked(self) -> bool:
        """Whether its owner was sent away since it began."""

        owner, revocations = self._owner, self._runtime.revocations

        return owner is not None and revocations.is_sent_away(owner, self._mark)

    def is_sent_away(self, generation_id: int | None) -> bool:
        """Whether the viewer of an answer is to come back: elsewhere, or to be asked who it is."""

        return self.is_revoked or self._runtime.sends_away(generation_id)
