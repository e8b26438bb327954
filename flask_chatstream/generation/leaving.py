"""How a process leaves: no new questions, running answers end, what is left is interrupted.

Two ways lead here. A server that says by itself that it is leaving is watched (`watch_server`);
whoever serves by other means calls `drain`.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.lifecycle import INTERRUPTED

from .server import get_server

if TYPE_CHECKING:
    from .running import Running
    from .runtime import Runtime

#: How long an answer that is broken off has to store its last words and its end, in seconds.
LAST_WORDS = 1.0


class Leaving:
    """The leaving of one engine."""

    def __init__(self, runtime: Runtime):
        self.pid = os.getpid()
        self._runtime = runtime
        self._deadline: float | None = None
        self._broken_off = 0

        with _lock:
            _leavings.add(self)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being written here, or is about to be."""

        return self._runtime.is_busy

    def begin(self, seconds: float | None = None) -> None:
        """Take no new generations; those that run have ``seconds`` to end.

        Said again, it can only make the time shorter.
        """

        allowed = self._runtime.settings.drain_seconds if seconds is None else seconds
        grace = get_server().grace
        deadline = time.monotonic() + (allowed if grace is None else min(allowed, grace))
        is_news = self._deadline is None
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._runtime.draining = True

        if is_news:
            self._wake()

    def _wake(self) -> None:
        """Have every viewer look up: some are to come back at another worker."""

        for live in self._runtime.follow.remote():
            live.wake()

        for topic in self._runtime.follow.topics():
            topic.beat()

    def wait(self) -> int:
        """Wait until nothing is written here; how many answers did not end by themselves."""

        self.begin()
        assert self._deadline is not None
        last = max(self._deadline, time.monotonic()) + 3 * LAST_WORDS

        while self.is_busy and time.monotonic() < last:
            self.hurry()
            time.sleep(0.02)

        self._wake()

        return self._broken_off

    def hurry(self) -> None:
        """Break off what has not ended in time."""

        if self._deadline is None or time.monotonic() < self._deadline:
            return

        is_late = time.monotonic() > self._deadline + LAST_WORDS

        for running in self._runtime.running():
            if not running.is_interrupted:
                self._break_off(running)
            elif is_late and running.stream.failure is None:
                with suppress(StorageUnavailable):
                    self._runtime.end_once(running, INTERRUPTED)

    def _break_off(self, running: Running) -> None:
        """Close the provider; the runner stores what it has and the end, unless it hangs."""

        running.is_interrupted = True
        self._broken_off += 1
        running.cancellation.cancel()


_leavings: WeakSet[Leaving] = WeakSet()
_lock = threading.Lock()


def drain(seconds: float | None = None) -> int:
    """Leave in order: take no new questions, let running answers end, and store the rest.

    For a program that runs its own server, between closing its door and stopping it; gunicorn has
    `flask_chatstream.gunicorn`. Waits ``seconds`` at most, by default
    ``CHATSTREAM_DRAIN_SECONDS``, and a moment more for the last words of answers that have not
    ended by then: these end as interrupted, with their text. Gives their number. There is no way
    back: this process asks the model nothing any more.

        server.close()
        drain()
        server.stop(timeout=1)
    """

    leavings = _here()

    for leaving in leavings:
        leaving.begin(seconds)

    return sum(leaving.wait() for leaving in leavings)


def is_busy() -> bool:
    """Whether this process is writing an answer."""

    return any(leaving.is_busy for leaving in _here())


def _here() -> list[Leaving]:
    with _lock:
        return [leaving for leaving in _leavings if leaving.pid == os.getpid()]
