"""Background work that is done again and again, as long as its engine is in use."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from flask_chatstream.concurrency import Tasks
from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.failures import report

logger = logging.getLogger(__name__)

E = TypeVar("E")


class Loop(Generic[E]):
    """Calls ``work`` with an engine again and again, ``seconds()`` apart, in a task of its own.

    The engine is held weakly between two rounds: one that nobody uses any more goes. Whatever a
    round raises, the next one comes; ``on_outage`` hears that the database was away.
    """

    def __init__(
        self,
        engine: E,
        work: Callable[[E], object],
        seconds: Callable[[], float],
        on_outage: Callable[[], object],
    ):
        self._reference = weakref.ref(engine)
        self._work = work
        self._seconds = seconds
        self._on_outage = on_outage
        self._kick = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.is_running = False

    def start(self, tasks: Tasks) -> bool:
        """Have it running; whether it was not."""

        with self._lock:
            if self.is_running:
                return False

            self.is_running = True

        tasks.spawn(self._run)

        return True

    def hurry(self) -> None:
        """Have the next round now."""

        self._kick.set()

    def close(self) -> None:
        """End it behind the round that is at work."""

        self._closed.set()
        self._kick.set()

    def _run(self) -> None:
        try:
            while not self._closed.is_set() and (engine := self._reference()) is not None:
                self._round(engine)
                del engine
                self._kick.wait(self._seconds())
                self._kick.clear()
        finally:
            # Broken off, perhaps: then the next request starts it again.
            self.is_running = False

    def _round(self, engine: E) -> None:
        try:
            self._work(engine)
        except StorageUnavailable:
            self._on_outage()
            logger.warning("The chat's background work is waiting for the database.")
        except Exception as error:
            report(logger, error, "The chat's background work failed; it goes on.")
