"""Orphans: found at once or by time, ended once, and the living left alone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import make_url, update

from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.generation import upkeep
from flask_chatstream.lifecycle import identity
from flask_chatstream.lifecycle.claims import claim, renew
from flask_chatstream.lifecycle.identity import identify, is_known_dead
from flask_chatstream.lifecycle.sweep import OrphanRule, sweep
from flask_chatstream.models import Generation
from flask_chatstream.providers.scripted import Pause
from flask_chatstream.storage import now
from tests.services import ROOT
from tests.test_generation_journal import open_running
from tests.waiting import later, wait_for
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database
PLACE = identify().rsplit(":", 2)[0]
ELSEWHERE = "0b5b4c9c-0000-4000-8000-000000000000:4026531836:1:1"
RULE = OrphanRule(queue_timeout=60.0)


@pytest.fixture(scope="module")
def corpse():
    """The identity of a real process that was killed."""

    source = "import sys; from flask_chatstream.lifecycle.identity import identify\n"
    source += "print(identify(), flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
    )
    worker = process.stdout.readline().strip()
    assert not is_known_dead(worker)
    process.kill()
    process.communicate()

    return worker


def change(on, asked, /, **values):
    """Give a generation other values; ``lease`` is seconds from now by the database's clock."""

    def job(connection):
        if "lease" in values:
            lease = timedelta(seconds=values.pop("lease"))
            values["lease_until"] = now(connection) + lease

        mine = Generation.id == asked.generation_id
        connection.execute(update(Generation).where(mine).values(**values))

    on.database.write(job)


def status(worker, asked):
    return worker.generation(asked).status


def test_an_identity_names_boot_namespace_pid_and_start():
    boot, namespace, pid, started = identify().split(":")

    assert len(boot) == 36 and namespace.isdecimal() and started.isdecimal()
    assert int(pid) == os.getpid()
    assert len(identify()) <= 128
    assert identify() == identify()


def test_a_killed_process_is_known_to_be_dead(corpse):
    assert is_known_dead(corpse)


def test_a_process_that_nobody_has_waited_for_is_dead():
    process = subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE)
    process.stdout.read()
    started = wait_for(lambda: identity._started(process.pid) or "zombie")
    wait_for(lambda: is_known_dead(f"{PLACE}:{process.pid}:{started}"))
    process.communicate()


@pytest.mark.parametrize(
    "worker",
    [
        identify(),
        "",
        "nonsense",
        ":::",
        f"{PLACE}:x:1",
        f"{PLACE}::1",
        f"{PLACE}:-1:1",
        f"{PLACE}:²:1",
        ELSEWHERE,
        PLACE.rsplit(":", 1)[0] + f":1:{os.getpid()}:1",
    ],
    ids=["me", "empty", "word", "colons", "x", "nothing", "minus", "square", "elsewhere", "other"],
)
def test_nobody_else_is_judged_at_once(worker):
    assert not is_known_dead(worker)


@pytest.mark.parametrize(
    "pid", [os.getpid(), 1, 4_194_304, "9" * 30], ids=["mine", "first", "none", "huge"]
)
def test_a_pid_with_another_start_is_another_process(pid):
    assert is_known_dead(f"{PLACE}:{pid}:7")


@pytest.mark.parametrize("state", ["queued", "running"])
def test_the_generation_of_a_dead_process_is_interrupted_at_once(worker, corpse, state):
    asked, running = open_running(worker)
    running.stream.append("shown")
    running.stream.flush()
    change(worker, asked, worker=corpse, lease=3600, status=state)
    (ended,) = sweep(worker.database, RULE)

    assert (ended.won, ended.status, ended.error_code) == (True, "error", "interrupted")
    assert status(worker, asked) == "interrupted"
    message = worker.message(asked)
    assert (message.status, message.error_code) == ("error", "interrupted")
    assert message.content == "shown"
    check_counters(worker, asked)
    assert sweep(worker.database, RULE) == []


@pytest.mark.parametrize(
    ("values", "by_time", "is_swept"),
    [
        ({"worker": ELSEWHERE, "lease": -1}, True, True),
        ({"worker": ELSEWHERE, "lease": -1}, False, False),
        ({"worker": ELSEWHERE, "lease": 3600}, True, False),
        ({"worker": identify(), "lease": -1}, True, True),
        ({"worker": identify(), "lease": 3600}, True, False),
        ({"worker": None, "lease_until": None, "status": "queued"}, True, False),
    ],
)
def test_time_judges_all_others(worker, values, by_time, is_swept):
    asked, _ = open_running(worker)
    change(worker, asked, **values)
    ended = sweep(worker.database, OrphanRule(60.0, by_time=by_time))

    assert [e.won for e in ended] == [True] * is_swept
    assert (status(worker, asked) == "interrupted") == is_swept


def test_a_queue_that_takes_too_long_is_over(worker):
    asked = worker.ask(worker=None, lease=None)
    assert sweep(worker.database, OrphanRule(60.0, by_time=False)) == []

    def age(connection):
        created = now(connection) - timedelta(seconds=61)
        connection.execute(update(Generation).values(created_at=created))

    worker.database.write(age)
    assert len(sweep(worker.database, OrphanRule(60.0, by_time=False))) == 1
    assert status(worker, asked) == "interrupted"


def test_one_conversation_is_settled_alone(worker, corpse):
    first, second = worker.ask(), worker.ask()

    for asked in (first, second):
        change(worker, asked, worker=corpse)

    worker.runtime.close()
    ended = sweep(worker.database, RULE, second.conversation_id)

    assert [e.generation_id for e in ended] == [second.generation_id]
    assert status(worker, first) == "queued"


def test_many_sweepers_make_one_end(worker, make_worker, corpse):
    """F48: each orphan once, the living never."""

    workers = [worker, *(make_worker(worker.url) for _ in range(3))]
    orphans = [worker.ask() for _ in range(6)]
    alive = [open_running(worker)[0] for _ in range(2)]

    for asked in orphans:
        change(worker, asked, worker=corpse)

    ready, ended = threading.Barrier(len(workers)), []

    def run(each):
        ready.wait(10)
        ended.extend(sweep(each.database, RULE))

    threads = [threading.Thread(target=run, args=(each,)) for each in workers]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(30)

    assert sorted(e.generation_id for e in ended) == [a.generation_id for a in orphans]
    assert {worker.conversation(asked).version for asked in orphans} == {2}
    assert {status(worker, asked) for asked in alive} == {"running"}


def test_a_lease_that_was_renewed_in_between_is_left_alone(worker):
    """What was a candidate is judged again under the lock."""

    asked, _ = open_running(worker)
    change(worker, asked, worker=ELSEWHERE, lease=-1)

    class Late(OrphanRule):
        seen = 0

        def __call__(self, row, moment):
            Late.seen += 1

            if Late.seen == 1:
                change(worker, asked, lease=3600)
                return True

            return super().__call__(row, moment)

    assert sweep(worker.database, Late(60.0)) == []
    assert Late.seen == 2
    assert status(worker, asked) == "running"


def test_only_what_is_ours_and_running_is_renewed(worker):
    mine, _ = open_running(worker)
    theirs, _ = open_running(worker)
    queued = worker.ask()
    change(worker, theirs, worker=ELSEWHERE)
    all_of_them = (mine, theirs, queued)
    before = [worker.generation(asked).lease_until for asked in all_of_them]
    ids = [asked.generation_id for asked in all_of_them]
    worker.database.write(renew, ids, worker.runtime.worker, 5000.0)
    after = [worker.generation(asked).lease_until for asked in all_of_them]

    assert [a > b for a, b in zip(after, before, strict=True)] == [True, False, False]
    worker.database.write(renew, [], worker.runtime.worker, 5000.0)


def test_a_claim_has_one_winner_and_counts_the_epoch(worker, make_worker):
    other = make_worker(worker.url)

    for _ in range(15):
        asked = worker.ask()
        ready, claimed = threading.Barrier(2), []

        def take(by, asked=asked, ready=ready, claimed=claimed):
            ready.wait(10)
            claimed.append(by.database.write(claim, asked.generation_id, by.url[:20], 15.0))

        threads = [threading.Thread(target=take, args=(by,)) for by in (worker, other)]

        for thread in threads:
            thread.start()

        for thread in threads:
            thread.join(20)

        (winner,) = [c for c in claimed if c is not None]
        assert (winner.epoch, winner.message_id) == (1, asked.message_id)
        assert worker.generation(asked).epoch == 1


def test_the_background_work_keeps_the_living_alive(migrated_sqlite_url, make_worker, monkeypatch):
    """An answer that outlives its lease, and a second worker that sweeps all the time."""

    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.02)
    short = {"lease_seconds": 3.0, "sweep_seconds": 0.05}
    writer, sweeper = (make_worker(migrated_sqlite_url, **short) for _ in range(2))
    gate = Pause()
    writer.provider.enqueue("slow ", gate, "answer")
    asked = writer.start()
    gate.wait_reached()
    sweeper.runtime.upkeep.start()
    first = writer.generation(asked).lease_until
    beyond = first + timedelta(seconds=4)
    wait_for(lambda: writer.generation(asked).lease_until > beyond, timeout=30)
    gate.release()

    assert writer.wait_end(asked).status == "completed"


def test_the_background_work_sweeps_what_died(migrated_url, make_worker, corpse, monkeypatch):
    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.02)
    worker = make_worker(migrated_url, sweep_seconds=0.05)
    asked = worker.ask()
    change(worker, asked, worker=corpse)
    worker.runtime.upkeep.start()

    assert worker.wait_end(asked).status == "interrupted"
    wait_for(lambda: [e.status for e in worker.ends] == ["error"])


def test_a_read_settles_its_conversation_first(worker, corpse):
    asked = worker.ask()
    change(worker, asked, worker=corpse)
    worker.runtime.settle(asked.conversation_id)

    assert status(worker, asked) == "interrupted"


def test_a_new_process_trusts_no_lease_yet(migrated_sqlite_url, make_worker):
    worker = make_worker(migrated_sqlite_url, lease_seconds=3600.0)
    asked, _ = open_running(worker)
    change(worker, asked, worker=ELSEWHERE, lease=-1)
    worker.runtime.settle(asked.conversation_id)
    assert status(worker, asked) == "running"

    trusting = make_worker(migrated_sqlite_url, lease_seconds=0.03)
    wait_for(lambda: trusting.runtime.upkeep.rule().by_time)
    trusting.runtime.settle(asked.conversation_id)
    assert status(worker, asked) == "interrupted"


def test_a_process_that_was_without_its_database_lets_the_living_renew(
    migrated_sqlite_url, make_worker, monkeypatch, caplog
):
    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.02)
    worker = make_worker(migrated_sqlite_url, lease_seconds=0.03)
    wait_for(lambda: worker.runtime.upkeep.rule().by_time)
    object.__setattr__(worker.runtime.settings, "lease_seconds", 3600.0)
    away = threading.Event()

    def fail():
        away.set()
        raise StorageUnavailable("away")

    monkeypatch.setattr(worker.database, "read", fail)
    worker.runtime.upkeep.start()
    assert away.wait(5)
    wait_for(lambda: not worker.runtime.upkeep.rule().by_time)


def test_a_closed_runtime_ends_its_background_work(worker, monkeypatch):
    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.01)
    looks = []
    monkeypatch.setattr(upkeep, "watched", lambda *arguments: looks.append(1) or {})
    open_running(worker)
    worker.runtime.upkeep.start()
    wait_for(lambda: looks)
    worker.runtime.close()

    assert not worker.runtime.upkeep.is_running
    seen = len(looks)
    worker.runtime.settle("c" * 32)
    wait_for(lambda: not worker.runtime.upkeep.is_running)

    assert len(looks) == seen


def test_an_answer_that_is_claimed_while_its_runtime_closes_is_let_go(
    migrated_sqlite_url, make_worker
):
    """The close waited for it in vain, for as long as it waits for anybody."""

    worker, gate = make_worker(migrated_sqlite_url), Pause()
    worker.provider.enqueue(gate)
    asked = worker.ask()
    other = sqlite3.connect(make_url(worker.url).database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    worker.place.start(asked.generation_id, "chatstream")
    closed = later(worker.runtime.close)
    wait_for(lambda: worker.runtime.is_closed)
    other.close()
    closed.result(20)

    assert not worker.runtime.is_busy
    gate.release()


def test_answers_are_written_and_held_while_the_site_has_every_connection(
    server_url, make_worker, monkeypatch
):
    """F14: requests of the site's own that take longer than a lease."""

    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.05)
    short = {"lease_seconds": 1.5, "sweep_seconds": 0.1}
    writer, other = (make_worker(server_url, **short) for _ in range(2))
    gates = [Pause(), Pause()]
    writer.provider.enqueue("one ", gates[0], "two", gates[1])
    asked = writer.start()
    gates[0].wait_reached()
    other.runtime.upkeep.start()
    wait_for(lambda: other.text(asked) == "one ")

    with ExitStack() as site:
        for _ in range(15):  # five and ten more, as SQLAlchemy's pools have
            site.enter_context(writer.engine.connect())

        first = other.generation(asked).lease_until
        gates[0].release()
        wait_for(lambda: other.text(asked) == "one two", timeout=10)
        beyond = first + timedelta(seconds=4)
        wait_for(lambda: other.generation(asked).lease_until > beyond, timeout=30)
        gates[1].release()

    assert other.wait_end(asked).status == "completed"


def test_an_answer_that_stands_still_is_not_held_for_ever(worker, monkeypatch):
    """A provider of the site's own that hangs and keeps no limit."""

    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.05)
    short = {"lease_seconds": 0.5, "sweep_seconds": 0.1, "idle_timeout": 0.5}

    for name, seconds in short.items():
        object.__setattr__(worker.runtime.settings, name, seconds)

    worker.runtime.upkeep = upkeep.Upkeep(worker.runtime)
    gate = Pause()
    worker.provider.enqueue("so far", gate)
    asked = worker.start()
    running = worker.wait_running(asked)
    generation = worker.wait_end(asked)

    assert (generation.status, worker.text(asked)) == ("interrupted", "so far")
    assert running.cancellation.wait(20)
    gate.release()
