"""The background work of a process, from its first chat request on.

Three loops, so that one that waits for the database holds up no other: one holds the leases and
never waits for a connection of the site's pool, one notices what others have ended, one tidies up
behind those who are gone.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from flask_chatstream.conversations import RoundMark, expire, remove_placeholders
from flask_chatstream.following import touch
from flask_chatstream.lifecycle import (
    AbandonRule,
    OrphanRule,
    Rule,
    clear_journal,
    renew,
    sweep,
    watched,
)
from flask_chatstream.storage import find_blocking

from .loop import Loop

if TYPE_CHECKING:
    from .runtime import Runtime

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.5
EXPIRE_SECONDS = 600.0


class Upkeep:
    """The background work of one engine."""

    def __init__(self, runtime: Runtime):
        settings = runtime.settings
        self._settings = settings
        self._engine = runtime.database.engine
        self._tasks = runtime.tasks
        self._wake = runtime.wake
        self._trusted = time.monotonic() + settings.lease_seconds / 3
        self._renewed = 0.0
        self._expired = 0.0
        self._round = RoundMark()
        often, seldom = lambda: WATCH_SECONDS, lambda: settings.sweep_seconds
        self._holding = Loop(runtime, self.hold, often, self._distrust)
        self._watching = Loop(runtime, self.watch, often, self._distrust)
        self._tidying = Loop(runtime, self.tidy, seldom, self._distrust)

    @property
    def _loops(self) -> tuple[Loop[Runtime], ...]:
        return self._holding, self._watching, self._tidying

    @property
    def is_running(self) -> bool:
        """Whether any of it is."""

        return any(loop.is_running for loop in self._loops)

    def start(self) -> None:
        """Have it running in this process."""

        started = [loop.start(self._tasks) for loop in self._loops]

        if not any(started):
            return

        trouble = find_blocking(self._engine)

        if trouble is not None and all(started):
            logger.warning("%s", trouble)

        # A listener that blocks the event loop would stop the site.
        if trouble is None or not self._wake.is_by_database:
            self._wake.start()

    def hurry(self) -> None:
        """Look now what others have ended."""

        self._watching.hurry()

    def close(self) -> None:
        """End it, each loop behind the round that is at work."""

        for loop in self._loops:
            loop.close()

    def rule(self) -> OrphanRule:
        """When a generation counts as an orphan, as seen from here."""

        return OrphanRule(self._settings.queue_timeout, by_time=time.monotonic() >= self._trusted)

    def rules(self) -> list[Rule]:
        """Which generations are to be ended, as seen from here."""

        orphans, seconds = self.rule(), self._settings.abandon_seconds

        # Where leases cannot be trusted, neither can it be trusted that nobody watches.
        if seconds is None or not orphans.by_time:
            return [orphans]

        return [orphans, AbandonRule(seconds)]

    def hold(self, runtime: Runtime) -> None:
        """Leave when told to, and store what is being written here and what is being watched.

        Nothing here waits for a connection of the site's pool, or for a lock.
        """

        if runtime.is_leaving:
            runtime.leaving.begin()
            runtime.leaving.hurry()

        self._renew(runtime)
        self._touch(runtime)

    def _renew(self, runtime: Runtime) -> None:
        """Renew the leases of what is being written here.

        What has stood still for longer than any provider may is held no longer, so that a provider
        that keeps no limit leaves nobody waiting.
        """

        moment, lease = time.monotonic(), self._settings.lease_seconds
        moving = [r for r in runtime.running() if r.is_moving(self._settings)]
        ids = [running.claimed.generation_id for running in moving]

        if not ids or moment - self._renewed < lease / 3:
            return

        # One that was passed over for its lock is asked for again in the next round.
        if runtime.database.write_apart(renew, ids, runtime.worker, lease) == len(ids):
            self._renewed = moment

    def _touch(self, runtime: Runtime) -> None:
        """Store that somebody here watches, so that no process takes an answer for abandoned."""

        due = runtime.audience.due()

        if due:
            held = runtime.database.write_apart(touch, due, runtime.audience.pause)
            runtime.audience.stored(due - held)

    def watch(self, runtime: Runtime) -> None:
        """Close the providers of generations that somebody else has ended or taken."""

        mine = {running.claimed.generation_id: running for running in runtime.running()}

        if not mine:
            return

        with runtime.database.read() as session:
            epochs = watched(session.connection(), mine)

        for id, running in mine.items():
            if epochs.get(id) != running.claimed.epoch:
                runtime.release(id)

    def tidy(self, runtime: Runtime) -> None:
        """Settle what others have left, take up what was forgotten here, remove what is old."""

        for rule in self.rules():
            for ended in sweep(runtime.database, rule):
                runtime.tell(ended)

        runtime.resume()
        clear_journal(runtime.database)
        self._expire(runtime)

    def _distrust(self) -> None:
        """The database was away: let those who live renew before leases are judged by time."""

        self._trusted = time.monotonic() + self._settings.lease_seconds / 3
        self._renewed = 0.0

    def _expire(self, runtime: Runtime) -> None:
        moment = time.monotonic()

        if moment - self._expired >= EXPIRE_SECONDS:
            self._expired = moment

            while runtime.database.write(expire):
                pass

            _, following = remove_placeholders(runtime.database, self._round)
            self._round = following or RoundMark()
