"""kill -9 of the worker that writes, of all workers, and at random instants (F01, F02)."""

from __future__ import annotations

import time

import pytest

from .checker import find_faults
from .conftest import LONG
from .recorder import Recorder
from .rig import Rig, Server, wait_until
from .viewers import ChatViewer, PageViewer, StreamViewer, Viewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 if LONG else 120)]


def writer_of(recorder: Recorder, viewer: Viewer) -> int:
    """The process that writes a viewer's answer."""

    recorder.wait_shown([viewer])

    (generation,) = (
        g for g in recorder.snapshot().generations if g.conversation_id == viewer.conversation_id
    )
    assert generation.status == "running"

    return generation.pid


def watch_from_elsewhere(
    recorder: Recorder, server: Server, chat: ChatViewer, pid: int
) -> list[Viewer]:
    """A stream and a page viewer of an answer whose connections are on another worker."""

    with server.paused(pid):
        found = [recorder.follow(kind, server, chat) for kind in (StreamViewer, PageViewer)]
        recorder.wait_shown(found)
        wait_until(lambda: len(found[1].pids) == 2 and all(found[1].pids), 10)

    return found


def test_killed_worker(rig: Rig) -> None:
    """F01: viewers on the other worker are told within seconds, nothing shown is lost."""

    (server,) = rig.serve(2)
    recorder = Recorder(rig)
    ada, grace = recorder.person("ada"), recorder.person("grace")
    chat = recorder.ask(server, ada, 4000, 100)
    pid = writer_of(recorder, chat)
    others = [recorder.ask(server, grace, 4000, 100) for _ in range(2)]
    elsewhere = watch_from_elsewhere(recorder, server, chat, pid)
    before = [viewer.connections for viewer in elsewhere]
    everybody = [chat, *elsewhere, *recorder.follow_all(server, chat), *others]
    recorder.wait_shown(everybody, 30)
    recorder.snapshot()

    server.kill_worker(pid)
    killed = time.monotonic()
    wait_until(lambda: all(v.done.is_set() for v in everybody if v not in others), 15)
    told = [viewer.sight.endings[-1] for viewer in everybody if viewer not in others]

    assert [viewer.connections for viewer in elsewhere] == before
    assert pid not in {viewer.pids[-1] for viewer in elsewhere}
    assert {ending.status for ending in told} == {"error"}
    assert max(ending.at for ending in told) - killed < 8
    assert chat.sight.endings[-1].error_code == "interrupted"

    stop(recorder, server, others)
    case = recorder.gather()

    assert find_faults(case) == []


def stop(recorder: Recorder, server: Server, viewers: list[ChatViewer]) -> None:
    """Stop answers that may still be written, so that the test need not wait for them."""

    for viewer in viewers:
        person = next(p for p in recorder.people if p.name == viewer.owner)
        (message_id,) = {piece.message_id for piece in viewer.sight.pieces}
        client = recorder.client(server, person)
        stopped = client.request("POST", f"/chat/api/v1/messages/{message_id}/cancel")
        assert stopped.status == 200


def test_killed_server(rig: Rig) -> None:
    """F02: all are killed and started again; the first request settles what was written."""

    (server,) = rig.serve(2)
    recorder = Recorder(rig)
    ada, grace = recorder.person("ada"), recorder.person("grace")
    chats = [recorder.ask(server, person, 4000, 100) for person in (ada, grace)]
    everybody = [*chats, *(v for chat in chats for v in recorder.follow_all(server, chat, 2))]
    recorder.wait_shown(everybody, 30)

    server.kill()
    recorder.snapshot()
    server.start()
    restarted = time.monotonic()
    wait_until(lambda: all(viewer.done.is_set() for viewer in everybody), 30)
    case = recorder.gather()

    assert find_faults(case) == []
    assert {m.error_code for m in case.stored.messages.values() if m.role == "assistant"} == {
        "interrupted"
    }
    assert max(viewer.sight.endings[-1].at for viewer in everybody) - restarted < 20


def test_killed_at_random_instants(rig: Rig) -> None:
    """Workers and whole servers are killed wherever they happen to be."""

    (server,) = rig.serve(2)
    recorder = Recorder(rig)
    people = [recorder.person(f"person{n}") for n in range(3)]
    deadline = time.monotonic() + (60 if LONG else 0)
    rounds = 0

    while rounds < 2 or time.monotonic() < deadline:
        rounds += 1
        chats = [recorder.ask(server, person, 150, 100) for person in people]
        everybody = [*chats, *(v for chat in chats for v in recorder.follow_all(server, chat))]
        recorder.wait_shown([recorder.random.choice(everybody)], recorder.random.randrange(1, 140))
        hit_at_random(recorder, server)
        recorder.snapshot()
        wait_until(lambda: all(v.done.is_set() for v in everybody), 30)  # noqa: B023

    assert find_faults(recorder.gather()) == []


def hit_at_random(recorder: Recorder, server: Server) -> None:
    """Kill one worker, or all and start again."""

    if recorder.random.random() < 0.6:
        server.kill_worker(recorder.random.choice(server.pids))
    else:
        server.kill()
        server.start()

    server.wait_ready()
