"""One timer for many short waits that follow each other, where each would else pay for its own.

gevent makes and drops a timer for every wait with a time limit, which costs more than most chunks
of an answer do otherwise. In a thread a limit is an argument of the system call, and costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .concurrency import is_patched


class Alarm:
    """Calls ``ring`` in the event loop when it has not been put off for long enough.

    ``ring`` must not block; it ends the wait, and whoever waited asks `has_rung`. One that has
    rung stands still until it is put off again. Only for patched processes, see `find_alarm`.
    """

    __slots__ = ("_at", "_due", "_ring", "_timer", "has_rung")

    def __init__(self, ring: Callable[[], object]):
        self._ring = ring
        self._at = 0.0
        self._due = 0.0
        self._timer: Any = None
        self.has_rung = False

    def put_off(self, seconds: float) -> None:
        """Ring in so many seconds, and not before."""

        self._at = time.monotonic() + seconds
        self.has_rung = False

        # One that is due earlier looks again when it comes.
        if self._timer is None or self._at < self._due:
            self._arm(seconds)

    def close(self) -> None:
        """Never ring."""

        timer, self._timer = self._timer, None

        if timer is not None:
            timer.stop()
            timer.close()

    def _arm(self, seconds: float) -> None:
        from gevent import get_hub

        self.close()
        self._due = time.monotonic() + seconds
        self._timer = get_hub().loop.timer(max(0.0, seconds))
        self._timer.start(self._look)

    def _look(self) -> None:
        left = self._at - time.monotonic()

        if left > 0:
            self._arm(left)
        else:
            self.close()
            self.has_rung = True
            self._ring()


def find_alarm(ring: Callable[[], object]) -> Alarm | None:
    """An alarm, where it is cheaper than a limit for each wait."""

    return Alarm(ring) if is_patched() else None
