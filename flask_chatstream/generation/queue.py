"""Answers that Celery workers write: how they are sent, and the task that writes one.

The one file that knows Celery, which is loaded only where ``CHATSTREAM_RUNNER`` names it. A task
says which generation is to be written and nothing else: who claims it writes it, so a task that a
broker delivers twice is written once (``docs/states.md``, 3.2).
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from mmap import mmap
from typing import Any, Protocol, cast

from flask import Flask, current_app, has_app_context

from flask_chatstream.conversations import Placement
from flask_chatstream.errors import ConfigurationError, ShuttingDown, StorageUnavailable
from flask_chatstream.failures import name_ids
from flask_chatstream.lifecycle import Outcome, end, still_queued

from .runtime import Runtime
from .server import NOTHING, get_server, watch_server

logger = logging.getLogger(__name__)

TASK = "chatstream.answer"
UNSENT = Outcome("error", error_code="queue")
#: Pauses between the attempts to reach the broker, 2 s in all.
RETRIES = {"max_retries": 4, "interval_start": 0.1, "interval_step": 0.3, "interval_max": 0.8}
#: How long a task waits for the database before it tries again, in seconds.
DATABASE_SECONDS = 2.0
#: What a time limit of the site's own must leave an answer beyond its longest, in seconds.
RESERVE = 60.0
#: Shared with the processes that a worker forks: only its first one hears that it is stopped.
_stopping = mmap(-1, 1)


class Desk(Protocol):
    """What a task asks the app's chat."""

    def write(self, generation_id: int) -> None:
        """Write an answer; raises `StorageUnavailable` and `ShuttingDown`, with nothing begun."""


class Queue:
    """The workers of the site's Celery app."""

    placement = Placement("celery")

    def __init__(self, runtime: Runtime, celery: Any):
        self._runtime = runtime
        self._celery = celery
        #: What was sent and when, on this process's monotonic clock, until somebody has taken it.
        self._sent: dict[int, tuple[str, float]] = {}
        runtime.resume = self._resume

    def start(self, generation_id: int, mount: str) -> None:
        """Send it, beside the request; one that cannot be sent ends in words."""

        self._runtime.start(partial(self._send, mount), generation_id)

    def _send(self, mount: str, generation_id: int) -> None:
        limit = self._runtime.settings.total_timeout + RESERVE

        try:
            self._celery.tasks[TASK].apply_async(
                (generation_id, mount),
                retry=True,
                retry_policy=RETRIES,
                time_limit=limit,
                soft_time_limit=limit,
            )
        except Exception as error:  # whatever the broker's driver raises
            logger.error(
                "Generation %d could not be sent to Celery: %s: %s",
                generation_id,
                type(error).__name__,
                error,
                extra=name_ids(generation_id=generation_id),
            )
            self._give_up(generation_id)
        else:
            self._sent[generation_id] = (mount, time.monotonic())

    def _resume(self) -> None:
        """Send again what nobody has taken: a broker or a worker may have lost it."""

        due = time.monotonic() - self._runtime.settings.queue_timeout / 3
        late = {id: mount for id, (mount, moment) in list(self._sent.items()) if moment < due}

        if not late:
            return

        with self._runtime.database.read() as session:
            left = still_queued(session, late)

        for id, mount in late.items():
            del self._sent[id]

            if id in left:
                self.start(id, mount)

    def _give_up(self, generation_id: int) -> None:
        with suppress(StorageUnavailable):  # then QUEUE_TIMEOUT ends it
            ended = self._runtime.database.write(end, generation_id, UNSENT, orphaned=_is_queued)

            if ended is not None:
                self._runtime.tell(ended)


def _is_queued(row: Any, moment: datetime) -> bool:
    """Whether nobody has it; what seemed to fail may have arrived."""

    return bool(row.status == "queued")


@cache
def add_task() -> None:
    """Have every Celery app of this process know the task, whichever is made first.

    Raises `ConfigurationError` where Celery is not installed.
    """

    try:
        from celery import shared_task, signals
    except ImportError as error:
        raise ConfigurationError(
            "CHATSTREAM_RUNNER is 'celery', which needs pip install 'flask_chatstream[celery]'."
        ) from error

    shared_task(
        name=TASK,
        bind=True,
        acks_late=True,
        reject_on_worker_lost=True,
        ignore_result=True,
        max_retries=None,
    )(_answer)
    signals.worker_shutting_down.connect(_stop)


def find_celery(app: Flask) -> Any:
    """The site's Celery app: the one that Flask's documentation keeps in the extensions, else the
    default one of the process."""

    from celery import Celery, current_app

    found = app.extensions.get("celery")

    return found if isinstance(found, Celery) else current_app._get_current_object()


def _answer(task: Any, generation_id: int, mount: str) -> None:
    """Write an answer; ``mount`` is for the site's routing of tasks and for who looks at them."""

    from celery.exceptions import Reject

    desk = _find_desk()

    if get_server() is NOTHING and not task.request.is_eager:
        watch_server(_is_stopping)

    try:
        desk.write(generation_id)
    except ShuttingDown as error:
        raise Reject(str(error), requeue=True) from error
    except StorageUnavailable as error:
        raise task.retry(exc=error, countdown=DATABASE_SECONDS) from error


def _find_desk() -> Desk:
    found = current_app.extensions.get("chatstream") if has_app_context() else None

    if found is None:
        raise ConfigurationError(
            f"The task {TASK} runs without the site's app context: give the Celery app a task "
            "class that pushes app.app_context(), as Flask's documentation shows."
        )

    return cast(Desk, found)


def _stop(**extra: Any) -> None:
    _stopping[0] = 1


def _is_stopping() -> bool:
    return _stopping[0] == 1
