"""The one writer of a process and engine: a queue of tasks, a connection of its own.

    submit ─▶ queue ─▶ prepare ─▶ execute ─▶ publish

SQLite is C that blocks, so there ``execute`` runs in a native thread beside the event loop; the
drivers of server databases wait cooperatively.

What queues up while a round runs, and in the rest behind it, is taken together with the next one,
so rounds follow the load. The loop starts with the first task, ends when nothing has come for a
while, and starts again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress

from sqlalchemy import Engine

from flask_chatstream.concurrency import Tasks
from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.failures import report

from .rounds import Rounds, Task

logger = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
#: How long a close waits for what is queued.
CLOSE_SECONDS = 5.0
#: After a round the writer rests so many seconds for each of its writes beyond a few, and so many
#: at most: under load rounds are large and rare, and a few writers do not wait for each other.
FEW, REST, MOST_REST = 4, 0.0003, 0.005
#: Most tasks of one round: a burst of writes must not hold up text that is being written.
ROUND = 16


class Writer:
    """Runs tasks one after the other on its own connection.

    ``synchronous`` is SQLite's pragma for that connection, ``window`` the least time between the
    beginnings of two rounds in seconds. On SQLite all tasks of a round share one commit.
    """

    def __init__(self, engine: Engine, *, synchronous: str = "FULL", window: float = 0.0):
        self._engine = engine
        self._synchronous = synchronous
        self._window = window
        self._tasks: deque[Task] = deque()
        self._kick = threading.Event()
        self._lock = threading.Lock()
        self._running = False
        self._loops = Tasks()
        self._closing = False
        self._round_tasks: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Queue a task; its ``publish`` tells when it is done."""

        self._tasks.append(task)

        try:
            with self._lock:
                if not self._running:
                    self._start()
        except BaseException:
            # Broken off from outside: who is told so submits it anew.
            with suppress(ValueError):
                self._tasks.remove(task)
            raise

        self._kick.set()

    def _start(self) -> None:
        """Begin a loop; the lock is held."""

        self._loops.spawn(self._loop)
        self._running = True

    def close(self) -> None:
        """Write what is queued and let the connection go; waits for that, a while at most."""

        self._closing = True
        self._kick.set()
        self._loops.join(CLOSE_SECONDS)

    def _loop(self) -> None:
        rounds = Rounds(self._engine, self._synchronous)

        try:
            while self._wait() or not self._is_over():
                self._round(rounds)
        except BaseException as error:
            rounds.abandon()
            self._start_over(error)
            raise

        rounds.close()

    def _start_over(self, error: BaseException) -> None:
        """The loop was broken from outside: nobody may wait for ever for what it had taken."""

        logger.warning(
            "The chat's writer was broken off; it starts again: %s", type(error).__name__
        )
        lost = StorageUnavailable("The chat's writer was broken off.")

        while self._round_tasks:
            with suppress(Exception):
                self._round_tasks.popleft().publish(lost)

        with self._lock:
            self._running = bool(self._tasks)

            if self._running:
                self._loops.spawn(self._loop)

    def _wait(self) -> bool:
        if self._tasks or self._kick.wait(0 if self._closing else IDLE_SECONDS):
            self._kick.clear()

            return True

        return False

    def _is_over(self) -> bool:
        """End this loop, unless a task has come; the next one starts another."""

        with self._lock:
            self._running = bool(self._tasks)

            return not self._running

    def _round(self, rounds: Rounds) -> None:
        started = time.monotonic()
        tasks = self._take()

        if not tasks:
            return

        writes = sum(task.prepare() for task in tasks)

        for error in rounds.run(tasks):
            try:
                self._round_tasks.popleft().publish(error)
            except Exception as error:
                report(logger, error, "A task of the chat's writer failed after its commit.")

        self._rest(writes, time.monotonic() - started)

    def _rest(self, writes: int, took: float) -> None:
        """Let tasks gather for the next round; one that comes after a pause does not wait."""

        rest = max(min((writes - FEW) * REST, MOST_REST), self._window - took)

        if rest > 0:
            time.sleep(rest)

    def _take(self) -> list[Task]:
        # All are taken before the first is prepared: a task that is submitted again meanwhile
        # belongs to the next round.
        while self._tasks and len(self._round_tasks) < ROUND:
            self._round_tasks.append(self._tasks.popleft())

        return list(self._round_tasks)
