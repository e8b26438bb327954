"""What happens to processes: kill -9, a sleep, a fork, an exception at every step."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from sqlalchemy import create_engine

from flask_chatstream import migrate
from tests.workers import run_python

from .acts import call_of, check_all, stop, watch_from_elsewhere, writer_of
from .recorder import Recorder
from .rig import Rig, Server, Setup, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HALF = pytest.mark.cells("wal-gevent", "postgres-gthread")
BRIEF = Setup(config={"CHATSTREAM_LEASE_SECONDS": 2.0, "CHATSTREAM_SWEEP_SECONDS": 0.5})
#: Raises at the N-th call of a function of ours in an answer's own task, for N = 1, 2, ... until an
#: answer passes; says how many it took.
STEPS = """
import sys, threading
from gevent import GreenletExit, Timeout, getcurrent
from gevent.hub import LoopExit
from flask_chatstream.events import Finished, TextDelta
from tests.waiting import wait_for
from tests.workers import Worker

KINDS = (GreenletExit, Timeout, LoopExit, MemoryError, KeyboardInterrupt)
threading.excepthook = lambda arguments: None
me = getcurrent()


class TwoWords:
    written = 0

    def stream(self, request, cancellation):
        self.written += getcurrent() is me
        yield TextDelta("one ")
        yield TextDelta("two ")
        yield Finished("stop")


worker = Worker(sys.argv[1], lease_seconds=1.0, sweep_seconds=0.2)
worker.model = model = TwoWords()
worker.answer()
walked = []
at, is_whole = 1, False

while not is_whole:
    left = [at]

    def trace(frame, event, argument):
        # A trace is a thread's: the loop and its other greenlets are none of this answer.
        is_ours = getcurrent() is me and "flask_chatstream" in frame.f_code.co_filename
        if event == "call" and is_ours:
            left[0] -= 1
            if left[0] == 0:
                raise KINDS[at % len(KINDS)]()

    asked, before = worker.ask(), model.written
    sys.settrace(trace)
    try:
        worker.runner.run(asked.generation_id)
    except BaseException:
        pass
    finally:
        sys.settrace(None)

    walked.append((at, asked))
    is_whole = left[0] > 0 and model.written > before
    # What the background work was quicker to take up was not walked.
    at += left[0] <= 0

# Those that nobody has ended end with their leases, together.
for at, asked in walked:
    worker.runtime.settle(asked.conversation_id)
    worker.wait_end(asked)
    message = worker.message(asked)
    assert "one two ".startswith(message.content), (at, message.content)
    assert message.status in ("completed", "error"), (at, message.status)
    assert message.status != "completed" or message.content == "one two ", at

assert message.status == "completed", (at, message.status)
# What breaks off the last step of all leaves an entry behind.
wait_for(lambda: len(worker.runtime.running()) <= 1)
wait_for(lambda: worker.engine.pool.checkedout() == 0)
worker.close()
print(at)
"""


def test_F01_killed_writer(rig: Rig) -> None:
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
    check_all(recorder)


@HALF
def test_F02_killed_server(rig: Rig) -> None:
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
    case = check_all(recorder)

    assert {m.error_code for m in case.stored.messages.values() if m.role == "assistant"} == {
        "interrupted"
    }
    assert max(viewer.sight.endings[-1].at for viewer in everybody) - restarted < 20


@HALF
def test_F01_F02_killed_at_random_instants(rig: Rig, is_long: bool) -> None:
    """Workers and whole servers are killed wherever they happen to be."""

    (server,) = rig.serve(2)
    recorder = Recorder(rig)
    people = [recorder.person(f"person{n}") for n in range(3)]
    deadline = time.monotonic() + (60 if is_long else 0)
    rounds = 0

    while rounds < 2 or time.monotonic() < deadline:
        rounds += 1
        chats = [recorder.ask(server, person, 150, 100) for person in people]
        everybody = [*chats, *(v for chat in chats for v in recorder.follow_all(server, chat))]
        recorder.wait_shown([recorder.random.choice(everybody)], recorder.random.randrange(1, 140))
        hit_at_random(recorder, server)
        recorder.snapshot()
        wait_until(lambda: all(v.done.is_set() for v in everybody), 30)  # noqa: B023

    check_all(recorder)


def hit_at_random(recorder: Recorder, server: Server) -> None:
    """Kill one worker, or all and start again."""

    if recorder.random.random() < 0.6:
        server.kill_worker(recorder.random.choice(server.pids))
    else:
        server.kill()
        server.start()

    server.wait_ready()


@pytest.mark.faults
def test_F04_killed_at_the_end_of_its_grace(rig: Rig) -> None:
    """F04: it neither ends nor drains, until gunicorn's patience is over and it is killed."""

    (server,) = rig.serve(1, setup=Setup(hooks=True, grace=1))
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 4000, 100)
    everybody = [chat, *recorder.follow_all(server, chat)]
    recorder.wait_shown(everybody, 20)

    with suppress(ProcessLookupError), server.paused(*server.pids):
        server.terminate()
        server.wait_exit(20)

    assert recorder.snapshot().generations[0].status == "running"
    server.start()
    server.wait_ready()

    check_all(recorder)
    assert chat.sight.endings[-1].error_code == "interrupted"


@pytest.mark.cells("postgres-gevent")
def test_F05_a_writer_that_slept_past_its_lease_writes_no_more(rig: Rig) -> None:
    """F05: the other worker ends the answer; the sleeper meets the fence and hangs up."""

    (server,) = rig.serve(2, setup=BRIEF)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 4000, 100)
    writer = writer_of(recorder, chat)
    elsewhere = watch_from_elsewhere(recorder, server, chat, writer)

    with server.paused(writer):
        wait_until(lambda: all(viewer.done.is_set() for viewer in elsewhere), 20)
        (asleep,) = recorder.snapshot().generations
        text = recorder.snapshots[-1].messages[asleep.message_id].text

    wait_until(lambda: call_of(recorder, chat.question)["closed_at"], 10)
    case = check_all(recorder)

    assert asleep.status == "interrupted"
    assert case.stored.messages[asleep.message_id].text == text


@pytest.mark.faults
def test_F07_loaded_before_the_fork(rig: Rig) -> None:
    """F07: workers that were forked from a loaded app answer apart, and call the model once."""

    (server,) = rig.serve(2, setup=Setup(arguments=("--preload",)))
    recorder = Recorder(rig)
    people = [recorder.person(f"person{n}") for n in range(4)]
    chats = [recorder.ask(server, person, 60, 60) for person in people]

    for chat in chats:
        recorder.follow_all(server, chat)

    case = check_all(recorder)

    assert {e.status for _, sight in case.sights.values() for e in sight.endings} == {"completed"}


@pytest.mark.cells("wal-gevent")
def test_F08_an_exception_at_every_step(rig: Rig) -> None:
    """F08: at the first step of an answer, at the second, until one passes whole."""

    patched = rig.cell.server == "gevent"
    engine = create_engine(rig.url)
    migrate.upgrade(engine)
    engine.dispose()
    printed = run_python(STEPS, rig.url, patched=patched, timeout=280)

    assert int(printed.split()[-1]) > 60
