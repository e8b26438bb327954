"""The database server crashes, hangs, or is away: F11, F13, F44 on a server of our own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .acts import answer_of, check_all, path_of, person_of
from .cluster import Cluster, cluster
from .recorder import Recorder
from .rig import Cell, Rig, rigged, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.cells("postgres-gevent", only="postgres"),
]


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A server of this test's own."""

    with cluster() as own:
        yield own


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path, own: Cluster) -> Iterator[Rig]:
    """A rig on it."""

    cell: Cell = request.param

    with rigged(cell, tmp_path, own.url) as rig:
        yield rig


def test_F11_F44_the_database_crashes(rig: Rig, own: Cluster) -> None:
    """F11: what comes meanwhile is kept and written then. F44: a stop meanwhile says that it is
    none."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chats = [recorder.ask(server, ada, 500, 60) for _ in range(3)]
    recorder.follow_all(server, chats[0])
    recorder.wait_shown(chats, 200)
    own.crash()
    stopped = person_of(recorder, server, chats[0]).request("POST", path_of(chats[0], "cancel"))
    own.start()
    case = check_all(recorder)

    assert (stopped.status, "cancelled" in stopped.body.decode()) == (503, False)
    assert {case.stored.messages[answer_of(chat)].status for chat in chats} == {"completed"}


@pytest.mark.faults
def test_F13_the_database_hangs(rig: Rig, own: Cluster) -> None:
    """F13: for ten seconds; the workers serve what needs no database, and then go on."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    chats = [recorder.ask(server, recorder.person(f"p{n}"), 800, 50) for n in range(3)]
    recorder.follow_all(server, chats[0])
    recorder.wait_shown(chats, 200)
    waits = []

    with own.paused():
        until = time.monotonic() + 10

        while time.monotonic() < until:
            waits.append(server.wait_alive())

    assert max(waits) < 2
    wait_until(lambda: all(chat.done.is_set() for chat in chats), 60)
    case = check_all(recorder)

    assert {case.stored.messages[answer_of(chat)].status for chat in chats} == {"completed"}
