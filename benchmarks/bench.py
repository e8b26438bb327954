"""One run: the model server, the servers that are measured, and what they keep between rounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from .client import Record
from .databases import has_postgres, has_redis
from .stock import fill
from .systems import SYSTEMS, Place, Running, System, launch


class Bench:
    """What the rows of one run share.

    ``shares`` starts each kind of server once for all rows, which is quick and measures nothing.
    """

    def __init__(self, *, shares: bool = False):
        self.shares = shares
        self.has_postgres = has_postgres() and not shares
        self.has_redis = has_redis() and not shares
        self._sid = 0
        self._exit = ExitStack()
        self._stocks: dict[tuple[str, int], Place] = {}
        self._shared: dict[tuple[str, tuple[str, ...], int], Running] = {}
        self._place: Place | None = None
        self.upstream_process, self.upstream = launch("benchmarks.upstream")
        self._exit.callback(self.upstream_process.wait)
        self._exit.callback(self.upstream_process.kill)

    def close(self) -> None:
        """End all that was started and remove all that was stored."""

        self._exit.close()

    def say(self, words: str) -> None:
        """Tell what is being done."""

        print(words, file=sys.stderr, flush=True)

    def records(self, count: int, tokens: int) -> list[Record]:
        """Records of streams that no other round has."""

        self._sid += count

        return [Record(self._sid - count + i, tokens) for i in range(count)]

    @contextmanager
    def running(self, *systems: System, place: Place | None = None) -> Iterator[list[Running]]:
        """Servers on one place, a fresh one unless it is given."""

        if self.shares:
            yield [self._share(system, number) for number, system in enumerate(systems)]
            return

        with ExitStack() as stack:
            if place is None:
                place = Place(postgres=systems[0].postgres)
                stack.callback(place.close)

            started = []

            for system in systems:
                started.append(place.start(system, self.upstream))
                stack.callback(started[-1].stop)

            yield started

    def _share(self, system: System, number: int) -> Running:
        kind = SYSTEMS["off"] if system == SYSTEMS["off"] else replace(system, options=())
        key = (kind.module, kind.options, number)

        if key not in self._shared:
            self._shared[key] = self._shared_place().start(kind, self.upstream)
            self._exit.callback(self._shared[key].stop)

        return self._shared[key]

    def _shared_place(self) -> Place:
        if self._place is None:
            self._place = Place()
            self._exit.callback(self._place.close)

        return self._place

    def stock(self, conversations: int, *, postgres: bool = False) -> Place:
        """A place with so many stored conversations of 100 messages, made once a run."""

        key = ("postgres" if postgres else "sqlite", conversations)

        if key not in self._stocks:
            place = self._shared_place() if self.shares else self._fresh(postgres=postgres)
            self._stocks[key] = place
            fill(place.folder, place.database, conversations, self.say)

        return self._stocks[key]

    def _fresh(self, *, postgres: bool) -> Place:
        place = Place(postgres=postgres)
        self._exit.callback(place.close)

        return place
