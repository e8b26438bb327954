"""Where answers are written: in the process that was asked, or elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from flask_chatstream.concurrency import is_patched
from flask_chatstream.conversations import Placement
from flask_chatstream.errors import StorageUnavailable

from .runtime import Runtime

logger = logging.getLogger(__name__)


class Place(Protocol):
    """Has answers written that are stored."""

    @property
    def placement(self) -> Placement:
        """What is stored of it with an answer to come."""

    def start(self, generation_id: int, mount: str) -> None:
        """Have a committed generation written; the request need not wait."""


class Here:
    """This process, beside its requests; ``run`` writes an answer."""

    def __init__(self, runtime: Runtime, run: Callable[[int], object]):
        self._runtime = runtime
        self._write = run
        runtime.resume = self._run

    @property
    def placement(self) -> Placement:
        """This process is to claim it, and holds it from the beginning."""

        kind = "gevent" if is_patched() else "thread"

        return Placement(kind, self._runtime.worker, self._runtime.settings.lease_seconds)

    def start(self, generation_id: int, mount: str) -> None:
        """Write it in a task of its own."""

        self._runtime.start(self._run, generation_id)

    def _run(self, generation_id: int) -> None:
        try:
            self._write(generation_id)
        except StorageUnavailable:  # the upkeep comes back to it
            logger.warning("Generation %d is waiting for the database.", generation_id)
