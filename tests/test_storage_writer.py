"""The one writer: order, grouping, failures that stay with their task, and never a dead end."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from sqlalchemy import event, text

from flask_chatstream.storage import Writer
from flask_chatstream.storage import writer as writer_module
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


class Broken(BaseException):
    """What no handler of exceptions catches."""


class Note:
    """A task that notes what happens to it."""

    def __init__(self, log, name, execute=None, writes=1):
        self.log = log
        self.name = name
        self.job = execute
        self.writes = writes
        self.done = threading.Event()
        self.error = None
        self.value = None

    def prepare(self):
        self.log.append(("prepare", self.name))

        return self.writes

    def execute(self, connection):
        self.log.append(("execute", self.name))
        self.value = self.job(connection) if self.job else None

    def publish(self, error):
        self.error = error
        self.log.append(("publish", self.name))
        self.done.set()


class Holding(Note):
    """A task that holds its round until it is let go."""

    def __init__(self, log, name):
        super().__init__(log, name)
        self.held = threading.Event()
        self.let_go = threading.Event()

    def publish(self, error):
        self.held.set()
        assert self.let_go.wait(10)
        super().publish(error)


@pytest.fixture
def log():
    return []


@pytest.fixture
def held(worker):
    """The connections that writers have taken out of the engine's pool and not closed."""

    held = []
    event.listen(worker.engine, "detach", lambda connection, record: held.append(connection))
    event.listen(worker.engine, "close_detached", held.remove)

    return held


@pytest.fixture
def make_writer(held):
    writers = []

    def make(engine, **options):
        writers.append(Writer(engine, **options))

        return writers[-1]

    yield make

    for writer in writers:
        writer.close()

    wait_for(lambda: held == [])


@pytest.fixture
def writer(worker, make_writer):
    return make_writer(worker.engine)


def scalar(statement):
    return lambda connection: connection.exec_driver_sql(statement).scalar()


def test_a_task_is_prepared_executed_and_published(writer, log):
    task = Note(log, "a", scalar("SELECT 7"))
    writer.submit(task)

    assert task.done.wait(5)
    assert (task.value, task.error) == (7, None)
    assert log == [("prepare", "a"), ("execute", "a"), ("publish", "a")]


def test_what_comes_during_a_round_is_taken_together_with_the_next(writer, log):
    first = Holding(log, "first")
    writer.submit(first)
    assert first.held.wait(5)
    rest = [Note(log, n) for n in range(5)]

    for task in rest:
        writer.submit(task)

    del log[:]
    first.let_go.set()
    assert all(task.done.wait(5) for task in rest)
    steps = [step for step, name in log if name != "first"]
    assert steps == ["prepare"] * 5 + ["execute"] * 5 + ["publish"] * 5
    assert [name for step, name in log if step == "execute"] == [0, 1, 2, 3, 4]


def test_a_task_that_fails_takes_no_other_with_it(writer, log):
    hold = Holding(log, "hold")
    writer.submit(hold)
    assert hold.held.wait(5)
    put = "INSERT INTO chatstream_alembic_version VALUES ('{}')"

    def put_and_fail(connection):
        connection.exec_driver_sql("SELECT 1")
        raise RuntimeError("task broke")

    good = [Note(log, n, scalar("SELECT 1")) for n in "ab"]
    bad = [Note(log, "raises", put_and_fail), Note(log, "syntax", scalar("SELEKT 1"))]
    double = Note(log, "double", lambda c: (c.exec_driver_sql(put.format("x")), 1 / 0))

    for task in (good[0], *bad, double, good[1]):
        writer.submit(task)

    hold.let_go.set()
    assert all(task.done.wait(5) for task in (*good, *bad, double))
    assert [task.value for task in good] == [1, 1]
    assert [task.error for task in good] == [None, None]
    assert isinstance(bad[0].error, RuntimeError)
    assert bad[1].error is not None and isinstance(double.error, ZeroDivisionError)


def test_a_failed_task_takes_back_its_part_on_sqlite(
    migrated_sqlite_url, make_worker, make_writer, log
):
    worker = make_worker(migrated_sqlite_url)
    writer = make_writer(worker.engine)
    put = "INSERT INTO chatstream_alembic_version VALUES ('{}')"
    hold = Holding(log, "hold")
    writer.submit(hold)
    assert hold.held.wait(5)
    tasks = [
        Note(log, "a", lambda c: c.exec_driver_sql(put.format("kept one"))),
        Note(log, "b", lambda c: (c.exec_driver_sql(put.format("taken back")), 1 / 0)),
        Note(log, "c", lambda c: c.exec_driver_sql(put.format("kept two"))),
    ]

    for task in tasks:
        writer.submit(task)

    hold.let_go.set()
    assert all(task.done.wait(5) for task in tasks)

    with worker.engine.connect() as connection:
        stored = set(connection.scalars(text("SELECT * FROM chatstream_alembic_version")))

    assert {"kept one", "kept two"} <= stored and "taken back" not in stored


@pytest.mark.parametrize("step", ["prepare", "publish"])
@pytest.mark.parametrize("error", [RuntimeError, Broken])
def test_the_writer_goes_on_after_any_failure(writer, log, caplog, monkeypatch, step, error):
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    broken = Note(log, "broken")

    def fail(*arguments):
        log.append("failed")
        raise error("step broke")

    setattr(broken, step, fail)

    with caplog.at_level(logging.CRITICAL):
        writer.submit(broken)
        wait_for(lambda: "failed" in log)
        after = Note(log, "after")
        writer.submit(after)

        assert after.done.wait(5)


def test_an_idle_writer_lets_its_connection_go_and_starts_again(writer, held, log, monkeypatch):
    monkeypatch.setattr(writer_module, "IDLE_SECONDS", 0.02)

    for n in range(3):
        task = Note(log, n, scalar("SELECT 1"))
        writer.submit(task)
        assert task.done.wait(5)
        wait_for(lambda: held == [])


def test_nothing_is_lost_between_ending_and_starting(writer, log, monkeypatch):
    monkeypatch.setattr(writer_module, "IDLE_SECONDS", 0.0005)
    tasks = []

    for n in range(200):
        tasks.append(Note(log, n))
        writer.submit(tasks[-1])
        tasks[-1].done.wait(0.0005)

    assert all(task.done.wait(5) for task in tasks)


def test_a_closed_writer_lets_its_connection_go_and_still_takes_tasks(writer, held, log):
    first = Note(log, "first")
    writer.submit(first)
    assert first.done.wait(5)
    assert len(held) == 1
    writer.close()
    assert held == []
    second = Note(log, "second", scalar("SELECT 1"))
    writer.submit(second)

    assert second.done.wait(5) and second.value == 1


def test_a_window_is_the_least_time_between_rounds(worker, make_writer, log):
    writer = make_writer(worker.engine, window=0.15)
    first, second = Note(log, 1), Note(log, 2)
    started = time.monotonic()
    writer.submit(first)
    assert first.done.wait(5)
    writer.submit(second)
    assert second.done.wait(5)
    assert time.monotonic() - started >= 0.15


def test_after_a_round_of_many_writes_it_rests_so_that_the_next_is_shared(writer, log, monkeypatch):
    monkeypatch.setattr(writer_module, "MOST_REST", 0.3)
    first, second, third = Note(log, 0, writes=10_000), Note(log, 1), Note(log, 2)
    writer.submit(first)
    assert first.done.wait(5)
    writer.submit(second)
    assert not second.done.wait(0.02)
    writer.submit(third)
    assert third.done.wait(5)
    steps = [step for step, name in log if name]

    assert steps == ["prepare"] * 2 + ["execute"] * 2 + ["publish"] * 2


def test_behind_a_lone_write_it_does_not_rest(writer, log, monkeypatch):
    monkeypatch.setattr(writer_module, "REST", 60.0)
    monkeypatch.setattr(writer_module, "MOST_REST", 60.0)

    for name in range(3):
        note = Note(log, name)
        writer.submit(note)
        assert note.done.wait(5)


def test_a_connection_of_its_own_with_the_right_pragmas(
    migrated_sqlite_url, make_worker, make_writer, log
):
    engine = make_worker(migrated_sqlite_url).engine

    for synchronous, number in (("FULL", 2), ("NORMAL", 1)):
        writer = make_writer(engine, synchronous=synchronous)
        asked = [Note(log, "", scalar(f"PRAGMA {p}")) for p in ("synchronous", "foreign_keys")]
        asked.append(Note(log, "", scalar("PRAGMA busy_timeout")))

        for task in asked:
            writer.submit(task)

        assert all(task.done.wait(5) for task in asked)
        assert [task.value for task in asked] == [number, 1, 5_000]

    assert engine.pool.checkedout() == 0
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.db
def test_a_lost_connection_is_made_anew(migrated_postgres_url, make_worker, make_writer, log):
    worker = make_worker(migrated_postgres_url)
    writer = make_writer(worker.engine)
    pid = Note(log, "pid", scalar("SELECT pg_backend_pid()"))
    writer.submit(pid)
    assert pid.done.wait(5)

    with worker.engine.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid.value})

    lost = Note(log, "lost", scalar("SELECT 1"))
    writer.submit(lost)
    assert lost.done.wait(5) and lost.error is not None
    again = Note(log, "again", scalar("SELECT 1"))
    writer.submit(again)
    assert again.done.wait(5) and again.value == 1
