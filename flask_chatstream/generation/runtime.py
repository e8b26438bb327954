"""The engine of one process on one database: the generations it writes, and how they end.

Nothing starts before the first chat request of a process, and a forked child starts anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Row

from flask_chatstream.concurrency import Tasks
from flask_chatstream.config import Settings
from flask_chatstream.errors import N_, NotFound, ShuttingDown, StorageUnavailable
from flask_chatstream.failures import name_ids
from flask_chatstream.following import Audience, Follow, Poller, Revocations, Seats
from flask_chatstream.lifecycle import (
    Claimed,
    Ended,
    Outcome,
    end,
    end_message,
    find_active,
    identify,
    settle,
)
from flask_chatstream.providers import Cancellation
from flask_chatstream.storage import Database
from flask_chatstream.wake import Hint, Wake, find_bus

from .journal import Journal
from .leaving import Leaving
from .running import Running
from .server import get_server
from .stream import Fenced, Stream
from .upkeep import Upkeep

logger = logging.getLogger(__name__)

#: How long an end is tried, in seconds.
END_SECONDS = 600.0
#: How long a close waits for tasks that are at work.
CLOSE_SECONDS = 5.0
CANCELLED = Outcome("cancelled")


class Runtime:
    """The engine of one process on one database."""

    def __init__(self, database: Database, settings: Settings):
        self.database = database
        self.settings = settings
        self.worker = identify()
        self.wake = Wake(find_bus(settings.wake, settings.redis_url, database.engine), self._hear)
        self.journal = Journal(database, self.wake)
        self.follow = Follow(self.wake)
        self.revocations = Revocations(database, self.follow, self.wake)
        self.poller = Poller(database, self.follow, self.revocations, self.wake)
        self.seats = Seats(settings.max_streams)
        self.audience = Audience(self.follow, settings.abandon_seconds)
        self.draining = False
        self.is_closed = False
        self._running: dict[int, Running] = {}
        #: What was started here and has not come to its end, claimed or not.
        self._started: list[int] = []
        self.tasks = Tasks()
        #: Takes up what this process stored and nobody has claimed; its place sets it.
        self.resume: Callable[[], object] = lambda: None
        #: Hears of every end that this process committed.
        self.on_end: Callable[[Ended], object] | None = None
        self.leaving = Leaving(self)
        self.upkeep = Upkeep(self)

    def start(self, task: Callable[[int], object], generation_id: int) -> None:
        """See to a committed generation in the background; the request need not wait."""

        self.upkeep.start()
        self._started.append(generation_id)
        self.tasks.spawn(self._run, task, generation_id)

    def work(self, task: Callable[[int], object], generation_id: int) -> None:
        """See to a committed generation in the calling thread."""

        self.upkeep.start()
        self._started.append(generation_id)
        self._run(task, generation_id)

    def _run(self, task: Callable[[int], object], generation_id: int) -> None:
        try:
            task(generation_id)
        finally:
            self._started.remove(generation_id)

    @property
    def is_leaving(self) -> bool:
        """Whether this process takes no new generations and waits for the end of those it has."""

        return self.draining or get_server().is_leaving()

    def admit(self) -> None:
        """Raises `ShuttingDown` when this process takes no new generations."""

        if self.is_leaving:
            raise ShuttingDown(N_("The site is being updated. Please try again."), retry_after=2)

    def open(self, claimed: Claimed) -> Running:
        """Register a claimed generation, so that it is renewed, watched and can be stopped."""

        live = self.follow.open(claimed)
        cancellation = Cancellation()
        stream = Stream(self.journal.append, live, claimed.epoch, cancellation.cancel)
        topic = self.follow.topic(claimed.conversation_id)
        running = Running(claimed, live, cancellation, stream, topic)
        self._running[claimed.generation_id] = running

        # A close has passed over what was not claimed yet.
        if self.is_closed:
            stream.lose(Fenced)

        return running

    def leave(self, running: Running) -> None:
        """The runner is done with it; an end that came from elsewhere is read from the database."""

        self._running.pop(running.claimed.generation_id, None)
        self.follow.close(running.live)

        if running.live.end is None:
            self.poller.ensure()

    def running(self) -> list[Running]:
        """What this process writes just now."""

        return list(self._running.values())

    def cancel(self, owner: str, mount: str, message_id: str) -> Ended:
        """Stop the owner's answer; the state that holds afterwards is stored when this returns.

        Raises `NotFound`, and `StorageUnavailable` when the stop could not be recorded: then
        nothing has stopped.
        """

        ended = self.database.write(end_message, owner, mount, message_id, CANCELLED)

        if ended is None:
            raise NotFound

        if ended.won:
            self.tell(ended)

        return ended

    def end(self, running: Running, outcome: Outcome) -> None:
        """End a generation of ours, trying until the database takes it.

        Its lease is held meanwhile. When the database does not take it for `END_SECONDS`, the
        sweep will end it instead.
        """

        deadline = time.monotonic() + END_SECONDS

        while True:
            try:
                return self.end_once(running, outcome)
            except StorageUnavailable:
                if time.monotonic() > deadline or self.is_closed:
                    claimed = running.claimed
                    words = "The end of generation %d could not be stored."
                    logger.error(words, claimed.generation_id, extra=name_ids(**claimed.ids))
                    return

            time.sleep(0.25)

    def end_once(self, running: Running, outcome: Outcome) -> None:
        """End a generation of ours; raises `StorageUnavailable`."""

        claimed = running.claimed
        ended = self.database.write(
            end,
            claimed.generation_id,
            outcome,
            epoch=claimed.epoch,
            chunk_ids=running.stream.known_ids(),
        )

        if ended is not None:
            self.tell(ended)

    def tell(self, ended: Ended) -> None:
        """Wake those who follow an end that has been committed."""

        self.follow.ended(ended)
        self.release(ended.generation_id)

        if ended.won and self.on_end is not None:
            self.on_end(ended)

    def release(self, generation_id: int) -> None:
        """Close the provider of a generation that is no longer to be written here."""

        running = self._running.get(generation_id)

        if running is not None:
            running.stream.lose(Fenced)

    def deleted(self, conversation_id: str, active: Iterable[int]) -> None:
        """A conversation was deleted here, with generations that were ``active``."""

        for generation_id in active:
            self.release(generation_id)

        self.follow.changed(conversation_id)

    def settle(self, conversation_id: str) -> None:
        """End the conversation's orphaned generations, before it is shown."""

        self.upkeep.start()

        with self.database.read() as session:
            found = find_active(session, conversation_id)

        self.settle_orphans(found)

    def settle_orphans(self, found: Iterable[Row[Any]]) -> bool:
        """End those of the generations from `find_active` that are orphaned; whether any was."""

        rule = self.upkeep.rule()
        ids = [row.id for row in found if rule(row, row.moment)]

        for ended in settle(self.database, rule, ids):
            self.tell(ended)

        return bool(ids)

    def _hear(self, hint: Hint) -> None:
        """Another process has committed something: look, where it is of interest here."""

        if hint.revoked:
            self.revocations.hurry()

        if hint.revoked or self.follow.holds(hint.changed):
            self.poller.hurry()
        elif self.follow.holds(hint.text):
            self.poller.hurry(is_text=True)

        if any(running.claimed.conversation_id in hint.changed for running in self.running()):
            self.upkeep.hurry()

    def sends_away(self, generation_id: int | None) -> bool:
        """Whether a viewer is to come back at another worker.

        Who looks at an answer that is written here is shown it to its end.
        """

        if generation_id in self._running or generation_id in self._started:
            return False

        return self.is_leaving

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being written here, or is about to be."""

        return bool(self._running or self._started)

    def close(self) -> None:
        """End the background work and wait for that; running generations are left to the sweep."""

        self.is_closed = True
        self.upkeep.close()

        for running in self.running():
            running.stream.lose(Fenced)

        self.tasks.join(CLOSE_SECONDS)
        self.poller.close()
        self.wake.close()
        self.database.writer.close()
