"""A walk through what people and machines do at any moment, led by a seed.

Each step is an act that somebody chooses by chance; between the acts the database is looked at and
compared with what everybody has been shown so far.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from .checker import ENDS, check_order, check_text
from .evidence import Case, StoredMessage
from .exchange import BROKEN, Client, Exchange
from .model import question, said
from .recorder import Person, Recorder
from .rig import Rig, Server, wait_until
from .viewers import API, ChatViewer, PageViewer, PollViewer, Sight, StreamViewer, Viewer

#: The acts, and how often each is chosen.
ACTS = {
    "ask": 6,
    "ask_again": 2,
    "look": 5,
    "come_back": 4,
    "stop": 3,
    "regenerate": 3,
    "delete": 1,
    "kill": 2,
    "pause": 2,
}
#: How long a worker sleeps, in seconds; longer than its lease.
SLEEP = 3.5
#: Answers that may be written at once.
MOST = 8


class Asker(ChatViewer):
    """Somebody who gives up where somebody else has asked at the same moment."""

    def _checked(self, exchange: Exchange, pieces: Iterator[bytes]) -> Iterator[bytes] | None:
        if exchange.status != 409:
            return super()._checked(exchange, pieces)

        for _ in pieces:
            pass

        self._left.set()

        return None


class Walk:
    """One walk on one rig; ``log`` tells the acts of it."""

    def __init__(self, rig: Rig, servers: list[Server], seed: int):
        self.recorder = Recorder(rig, seed=seed)
        self.chance = self.recorder.random
        self.servers = servers
        self.people = [self.recorder.person(name) for name in ("ada", "grace", "edsger")]
        #: What answers said that may be deleted, by their ids.
        self.deleted: dict[str, str] = {}
        self.log: list[str] = []
        self._asleep: dict[int, tuple[Server, float]] = {}
        self._acts: dict[str, Callable[[], str]] = {name: getattr(self, name) for name in ACTS}

    def go(self, seconds: float) -> None:
        """Act for so long, and look after every act."""

        until = time.monotonic() + seconds

        while time.monotonic() < until:
            self._wake(time.monotonic())
            (name,) = self.chance.choices(list(ACTS), list(ACTS.values()))

            with suppress(*BROKEN):
                self.log.append(f"{name} {self._acts[name]()}")

            self.look_inside()

        self._wake(float("inf"))

        for server in self.servers:
            server.wait_ready()

        # Nobody may be looking at an answer; a request has the forgotten ones settled.
        wait_until(self._is_quiet, 40)

    def _is_quiet(self) -> bool:
        return {g.status for g in self.recorder.snapshot().generations} <= ENDS

    def look_inside(self) -> None:
        """What everybody was shown until now is stored now."""

        seen = {
            f"{type(viewer).__name__} {n}": (viewer.owner, _copy(viewer.sight))
            for n, viewer in enumerate(self.recorder.viewers)
        }
        case = Case(self.recorder.snapshot(), sights=seen, deleted=self.deleted)
        self.recorder.snapshots[:] = self.recorder.snapshots[-5:]
        faults = [*check_text(case), *check_order(case)]

        assert faults == [], "\n".join([*self.log, *faults])

    def ask(self) -> str:
        """Somebody asks, in a new conversation."""

        return self._ask("")

    def ask_again(self) -> str:
        """Somebody asks on, below an answer that has ended."""

        message = self._choose("completed", "cancelled", "error")

        return self._ask(message.conversation_id) if message else "nothing"

    def _ask(self, conversation: str) -> str:
        if sum(not viewer.done.is_set() for viewer in self._chats()) >= MOST:
            return "no more"

        person = self._owner_of(conversation) or self.chance.choice(self.people)
        words, rate = self.chance.randrange(20, 300), self.chance.choice((40, 100, 400))
        asked = question(person.tag(), words, rate)
        server = self._server()
        self.recorder.start(Asker(server.port, person.name, asked, conversation))

        return f"{asked!r} at {server.port}"

    def look(self) -> str:
        """Somebody opens a conversation in one more tab."""

        known = [chat for chat in self._chats() if chat.conversation_id]

        if not known:
            return "nowhere"

        kind: type[Viewer] = self.chance.choice((StreamViewer, PageViewer, PollViewer))
        self.recorder.follow(kind, self._server(), self.chance.choice(known))

        return kind.__name__

    def come_back(self) -> str:
        """A connection breaks, and its viewer comes back, perhaps elsewhere."""

        following = [v for v in self.recorder.viewers if not v.done.is_set()]

        if not following:
            return "nobody"

        viewer = self.chance.choice(following)
        viewer.client.port = self._server().port
        viewer.client.hang_up()

        return f"{type(viewer).__name__} to {viewer.client.port}"

    def stop(self) -> str:
        """Somebody stops an answer, from any worker."""

        return self._post("cancel", self._choose("generating"))

    def regenerate(self) -> str:
        """Somebody wants another answer in place of one."""

        return self._post("regenerate", self._choose("completed", "cancelled", "error"))

    def delete(self) -> str:
        """Somebody deletes a conversation, whatever happens in it."""

        message = self._choose("generating", "completed", "cancelled", "error")

        if message is None:
            return "nothing"

        stored = self.recorder.snapshots[-1].messages
        answers = [m for m in stored.values() if m.parent_id and m.role == "assistant"]

        for found in answers:
            self.deleted[found.id] = said(stored[found.parent_id or ""].text)

        path = f"{API}/conversations/{message.conversation_id}"

        return str(self._client(message).request("DELETE", path).status)

    def kill(self) -> str:
        """kill -9 of a worker."""

        server = self._server()
        pids = server.pids

        if not pids:
            return "nobody"

        server.kill_worker(pids[0])
        wait_until(lambda: set(server.pids) - set(pids), 10)

        return str(pids[0])

    def pause(self) -> str:
        """A worker sleeps past its lease."""

        server = self._server()
        pids = server.pids

        if len(self._asleep) + 1 >= len(self.servers) or not pids:
            return "nobody"

        os.kill(pids[0], signal.SIGSTOP)
        self._asleep[pids[0]] = (server, time.monotonic() + SLEEP)

        return str(pids[0])

    def _wake(self, now: float) -> None:
        for pid, (_, until) in list(self._asleep.items()):
            if until < now:
                del self._asleep[pid]

                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _server(self) -> Server:
        asleep = [server for server, _ in self._asleep.values()]

        return self.chance.choice([server for server in self.servers if server not in asleep])

    def _chats(self) -> list[ChatViewer]:
        return [viewer for viewer in self.recorder.viewers if isinstance(viewer, ChatViewer)]

    def _choose(self, *states: str) -> StoredMessage | None:
        stored = self.recorder.snapshots[-1].messages if self.recorder.snapshots else {}
        found = [m for m in stored.values() if m.role == "assistant" and m.status in states]

        return self.chance.choice(found) if found else None

    def _owner_of(self, conversation: str) -> Person | None:
        owners = {chat.conversation_id: chat.owner for chat in self._chats()}

        return next((p for p in self.people if p.name == owners.get(conversation)), None)

    def _client(self, message: StoredMessage) -> Client:
        person = self._owner_of(message.conversation_id) or self.people[0]

        return self.recorder.client(self._server(), person)

    def _post(self, act: str, message: StoredMessage | None) -> str:
        if message is None:
            return "nothing"

        path = f"{API}/messages/{message.id}/{act}"
        found: Any = self._client(message).request("POST", path)
        assert found.status in (200, 201, 202, 404, 409, 503), (found.status, found.body)

        return f"{message.id}: {found.status}"


def _copy(sight: Sight) -> Sight:
    return Sight(pieces=list(sight.pieces), pages=list(sight.pages), faults=list(sight.faults))
