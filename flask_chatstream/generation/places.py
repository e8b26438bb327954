"""Where answers are written: in the process that was asked, or elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from flask import Flask
from sqlalchemy import Engine

from flask_chatstream.concurrency import is_patched
from flask_chatstream.config import Settings
from flask_chatstream.conversations import Placement
from flask_chatstream.errors import ConfigurationError, StorageUnavailable
from flask_chatstream.lifecycle import unclaimed
from flask_chatstream.storage.engine import is_temporary

from .queue import Queue, find_celery
from .runtime import Runtime

logger = logging.getLogger(__name__)

#: What is said of a process that does not fit ``CHATSTREAM_RUNNER``.
MISTAKES = {
    "gevent": "CHATSTREAM_RUNNER is 'gevent', and gevent has not patched this process: say `from "
    "gevent import monkey; monkey.patch_all()` as its first line, or take 'auto'.",
    "thread": "CHATSTREAM_RUNNER is 'thread', and gevent has patched this process, where threads "
    "are greenlets: take 'auto' or 'gevent'.",
}


class Place(Protocol):
    """Has answers written that are stored."""

    @property
    def placement(self) -> Placement:
        """What is stored of it with an answer to come."""

    def start(self, generation_id: int, mount: str) -> None:
        """Have a committed generation written; the request need not wait."""


def own_kind() -> str:
    """What answers run in here, as ``CHATSTREAM_RUNNER`` names it."""

    return "gevent" if is_patched() else "thread"


def find_mistake(wanted: str) -> str | None:
    """Why answers cannot run in what is ``wanted`` if they run in this process."""

    return None if wanted == own_kind() else MISTAKES.get(wanted)


def check_runner(settings: Settings, engine: Engine, *, knows_task: bool) -> None:
    """Raises `ConfigurationError` when Celery is named and its workers could not write.

    ``knows_task`` says that this app's workers know the task: they take tasks before they push
    any context, so it is added when the chat is registered.
    """

    if settings.runner != "celery":
        return

    if not knows_task:
        raise ConfigurationError(
            "CHATSTREAM_RUNNER = 'celery' must be set before the chat is registered."
        )

    if is_temporary(engine):
        raise ConfigurationError(
            "CHATSTREAM_RUNNER = 'celery' needs a database that other processes see, and the "
            "site's is in memory: set CHATSTREAM_DATABASE_URI."
        )


class Here:
    """This process, beside its requests; ``run`` writes an answer."""

    def __init__(self, runtime: Runtime, run: Callable[[int], object]):
        self._runtime = runtime
        self._write = run
        runtime.resume = self._resume

    @property
    def placement(self) -> Placement:
        """This process is to claim it, and holds it from the beginning."""

        return Placement(own_kind(), self._runtime.worker, self._runtime.settings.lease_seconds)

    def start(self, generation_id: int, mount: str) -> None:
        """Write it in a task of its own."""

        self._runtime.start(self._run, generation_id)

    def _resume(self) -> None:
        with self._runtime.database.read() as session:
            ids = unclaimed(session, self._runtime.worker)

        for id in ids:
            self._runtime.start(self._run, id)

    def _run(self, generation_id: int) -> None:
        try:
            self._write(generation_id)
        except StorageUnavailable:  # the upkeep comes back to it
            logger.warning("Generation %d is waiting for the database.", generation_id)


def find_queue(app: Flask, runtime: Runtime) -> Queue | None:
    """The queue that ``CHATSTREAM_RUNNER`` names, if it does."""

    return Queue(runtime, find_celery(app)) if runtime.settings.runner == "celery" else None
