"""Who does what in a test, every byte that comes back, and the evidence at the end."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from .checker import check_resources
from .evidence import Case, Stored, dump, idle_in_transaction, look_afresh, read_stored
from .exchange import Client
from .model import KEY, question
from .rig import FOLDER, Rig, Server, wait_until
from .viewers import ChatViewer, PageViewer, PollViewer, StreamViewer, Viewer

V = TypeVar("V", bound=Viewer)

#: How long a viewer may take to the end after a fault (I10), in seconds.
ARRIVAL_SECONDS = 30.0


@dataclass
class Person:
    """An owner, and the letters that only this owner's answers are made of."""

    name: str
    canary: str
    asked: int = 0

    def tag(self) -> str:
        """What the words of the next answer begin with."""

        self.asked += 1

        return self.canary + string.ascii_lowercase[self.asked % 26] * (1 + self.asked // 26)


class Recorder:
    """Everybody who looks at a rig's servers."""

    def __init__(
        self, rig: Rig, before: dict[int, dict[str, int]] | None = None, seed: int | None = None
    ):
        self.rig = rig
        #: What each worker held when all was made that it makes once.
        self.before = before or {}
        self.seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.viewers: list[Viewer] = []
        self.people: list[Person] = []
        self.snapshots: list[Stored] = []
        self._clients: list[Client] = []
        print(f"{rig.cell}: seed {self.seed}")

    def person(self, name: str) -> Person:
        """Somebody new, with a canary of their own."""

        letters = "".join(self.random.choices(string.ascii_lowercase, k=9))
        # A name of its own for each test, because tests share databases.
        person = Person(f"{name}-{letters}", letters)
        self.people.append(person)

        return person

    def client(self, server: Server, person: Person) -> Client:
        """A client for single requests."""

        client = Client(server.port, person.name)
        self._clients.append(client)

        return client

    def ask(
        self, server: Server, person: Person, words: int, rate: int, directive: str = ""
    ) -> ChatViewer:
        """Ask in a new conversation; the viewer of the answer, which has begun."""

        asked = question(person.tag(), words, rate, directive)
        viewer = self.start(ChatViewer(server.port, person.name, asked))
        wait_until(lambda: viewer.has_started, 20)

        return viewer

    def follow(self, kind: type[V], server: Server, viewer: Viewer) -> V:
        """One more viewer of the same conversation."""

        return self.start(kind(server.port, viewer.owner, viewer.conversation_id))

    def follow_all(self, server: Server, viewer: Viewer, each: int = 1) -> list[Viewer]:
        """Viewers of every kind of the same conversation."""

        kinds: tuple[type[Viewer], ...] = (StreamViewer, PageViewer, PollViewer)

        return [self.follow(kind, server, viewer) for kind in kinds for _ in range(each)]

    def start(self, viewer: V) -> V:
        """Let a viewer begin."""

        self.viewers.append(viewer)
        viewer.start()

        return viewer

    def snapshot(self) -> Stored:
        """The database just now."""

        stored = read_stored(self.rig)
        self.snapshots.append(stored)

        return stored

    def warm_up(self, *servers: Server) -> None:
        """Have everything made that a worker makes once, and note what it holds then."""

        person = self.person("warm")

        for server in servers:
            first = self.ask(server, person, 40, 200)

            for viewer in [first, *self.follow_all(server, first, each=2)]:
                assert viewer.done.wait(20)

            self.before |= server.inside()

    def wait_shown(self, viewers: Iterable[Viewer], least: int = 1) -> None:
        """Wait until each viewer has been shown so much, or has reached the end."""

        for viewer in viewers:
            wait_until(lambda v=viewer: v.length() >= least or v.done.is_set(), 20)

    def gather(self, deleted: dict[str, str] | None = None) -> Case:
        """Wait for everybody to reach the end; the evidence."""

        late = self._wait()
        stored = read_stored(self.rig)
        case = Case(stored, snapshots=self.snapshots, late=late, deleted=deleted or {})
        case.secrets = (KEY, self.rig.password, FOLDER)
        case.canaries = {person.name: person.canary for person in self.people}

        for n, viewer in enumerate(self.viewers):
            name = f"{type(viewer).__name__} {n}"
            case.sights[name] = (viewer.owner, viewer.sight)

        self._look_afresh(case)
        # A call that was refused before its first byte may be made again.
        begun = [call for call in self.rig.calls() if call["bytes_sent"] or call["closed_at"]]
        case.prompts = [call["messages"][-1]["content"] for call in begun]
        case.dump = dump(self.rig)
        case.exchanges = [e for v in self.viewers for e in v.client.exchanges]
        case.exchanges += [e for client in self._clients for e in client.exchanges]
        self._settle(case)

        return case

    def _wait(self) -> list[str]:
        deadline = time.monotonic() + ARRIVAL_SECONDS
        late = []

        for n, viewer in enumerate(self.viewers):
            if not viewer.done.wait(max(0.0, deadline - time.monotonic())):
                late.append(f"{type(viewer).__name__} {n}, after {viewer.connections} connections")
                viewer.leave()

        return late

    def _look_afresh(self, case: Case) -> None:
        owned = {viewer.conversation_id: viewer.owner for viewer in self.viewers}
        people = {person.name: person for person in self.people}

        for message in case.stored.messages.values():
            owner = owned.get(message.conversation_id)

            if owner is not None and message.role == "assistant":
                server = self.random.choice(self.rig.servers)
                client = self.client(server, people[owner])
                case.fresh.append(look_afresh(client, message))

    def _settle(self, case: Case) -> None:
        """What workers hold goes down within moments of the last viewer's leaving."""

        case.before = self.before
        deadline = time.monotonic() + 5

        while True:
            case.after = {}

            for server in self.rig.servers:
                case.after |= server.inside()

            case.idle_in_transaction = idle_in_transaction(self.rig)

            if not any(check_resources(case)) or time.monotonic() > deadline:
                return
