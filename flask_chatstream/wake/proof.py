"""Whether what is sent comes back; pure but for the clock.

PgBouncer accepts LISTEN in its transaction mode and delivers nothing, and a listener's connection
can die without a word: a bus is believed while its last round trip is young.
"""

from __future__ import annotations

import time

#: Between two round trips, in seconds.
EVERY = 15.0
#: How long one may take, in seconds.
PATIENCE = 2.0


class Proof:
    """The round trips of one process."""

    def __init__(self) -> None:
        self._number = 0
        self._heard = 0
        self._sent_at = 0.0
        self._due_at = 0.0

    def begin(self) -> int:
        """A round trip begins; its number is to be sent."""

        if not self.holds():
            self._heard = 0

        self._number += 1
        self._sent_at = time.monotonic()
        self._due_at = self._sent_at + EVERY

        return self._number

    def hear(self, number: int) -> None:
        """A number has come back."""

        if number == self._number:
            self._heard = number

    def holds(self) -> bool:
        """Whether the last round trip came back, or still may while the one before did."""

        if self._heard == 0 or self.is_overdue():
            return False

        return self._heard >= self._number - 1

    def is_overdue(self) -> bool:
        """Whether the last round trip has not come back in time."""

        return self._number > self._heard and time.monotonic() - self._sent_at > PATIENCE

    def fail(self) -> None:
        """A connection is lost, and with it what it had proved."""

        self._heard = 0

    def restart(self) -> None:
        """There is another connection: find out at once what it is worth."""

        self._sent_at = time.monotonic()
        self._due_at = 0.0

    def due_in(self) -> float:
        """Seconds until the next round trip is to begin."""

        return max(0.0, self._due_at - time.monotonic())
