"""One answer's hold on its socket: what breaks it off, and how long it may be silent."""

from __future__ import annotations

import socket
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from time import monotonic

from .base import Cancellation, Registration, Timeouts

#: How long usage may take after the model has finished.
_AFTER_FINISH = 5.0


class BrokenOff(BaseException):
    """The answer was stopped, or its time is over, while the SDK was at work.

    No `Exception`, because an SDK takes those for failed connections and tries again.
    """


class Exchange:
    """Carries a `Cancellation` and the `Timeouts` of one answer to the sockets that it uses."""

    def __init__(self, cancellation: Cancellation, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self.expired = False
        self._cancellation = cancellation
        self._held: Registration | None = None
        now = monotonic()
        self._end = now + timeouts.total
        self._first_end = min(now + timeouts.first_token, self._end)
        self._silence: float | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the person stopped the answer."""

        return self._cancellation.cancelled

    def hold(self, sock: socket.socket) -> None:
        """Have this socket, in place of the one before, broken by the cancellation.

        Raises `BrokenOff` when there is nothing to go on for.
        """

        self.let_go()
        self._held = self._cancellation.on_cancel(partial(shut_down, sock))
        self.check()

    def let_go(self) -> None:
        """After this the socket may be closed: nobody else will touch its descriptor."""

        if self._held is not None:
            self._held()
            self._held = None

    def begin(self) -> None:
        """The first token is here: silence counts from now on."""

        self._first_end = self._end
        self._silence = self.timeouts.idle

    def finish(self) -> None:
        """The model is done; only usage is waited for."""

        self._first_end = self._end
        self._silence = min(self.timeouts.idle, _AFTER_FINISH)

    def limit(self) -> float:
        """Seconds that the next read may take; raises `BrokenOff` when there are none."""

        left = self._first_end - monotonic()
        if left <= 0:
            self.expired = True
            raise BrokenOff

        return left if self._silence is None else min(left, self._silence)

    def check(self) -> None:
        """Raise `BrokenOff` when the answer was stopped or its time is over."""

        if self.cancelled:
            raise BrokenOff

        self.limit()


#: The exchange that the calls of this thread or greenlet belong to: an SDK passes nothing through.
current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)


def shut_down(sock: socket.socket) -> None:
    """Break a socket off under whoever reads it, in any thread."""

    # The plain method: a TLS socket's own one drops its TLS state under the reader's feet, and
    # close() would leave a reader in another thread blocked.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
