"""The journal: groups, the fence, and what becomes of a group that the database does not take."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from sqlalchemy import create_engine, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from flask_chatstream.concurrency import spawn
from flask_chatstream.generation import journal, stream
from flask_chatstream.generation.journal import MAX_ROW
from flask_chatstream.generation.stream import Fenced, StorageLost
from flask_chatstream.lifecycle import groups
from flask_chatstream.lifecycle.claims import claim
from flask_chatstream.lifecycle.ends import Outcome, end
from flask_chatstream.lifecycle.groups import Row, write_group
from flask_chatstream.models import Generation
from tests.engines import end_connections
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


def open_running(worker, **wanted):
    """A generation of this worker, claimed and registered, that nobody runs."""

    asked = worker.ask(**wanted)
    claimed = worker.database.write(claim, asked.generation_id, worker.runtime.worker, 3600.0)

    return asked, worker.runtime.open(claimed)


def check_journal(worker, asked, expected):
    """The rows are numbered 1..n, lie one behind the other, and are the expected text."""

    rows = worker.chunks(asked)
    assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1))
    position = 0

    for _, start, piece in rows:
        assert start == position and 0 < len(piece) <= MAX_ROW
        position += len(piece)

    assert "".join(piece for _, _, piece in rows) == expected


def test_appended_text_is_committed_before_it_is_shown(worker):
    asked, running = open_running(worker)
    running.stream.append("Hello ")
    running.stream.append("world 🌍")
    running.stream.flush()

    assert running.live.read(0) == "Hello world 🌍" == worker.text(asked)
    check_journal(worker, asked, "Hello world 🌍")


def test_text_that_looks_like_something_else_is_stored_as_it_is(worker):
    """A group goes to PostgreSQL as arrays, which have signs of their own."""

    pieces = [
        '"',
        "\\",
        '\\"',
        "NULL",
        "{a,b}",
        " ",
        ", ",
        "\n\t\r",
        "'",
        "%s %",
        "$1",
        ":x",
        "🌍é",
    ]
    asked, running = open_running(worker)

    for piece in pieces:
        running.stream.append(piece)
        running.stream.flush()

    assert [piece for _, _, piece in worker.chunks(asked)] == pieces
    assert worker.text(asked) == "".join(pieces) == running.live.read(0)


def test_nothing_is_shown_that_is_not_committed(worker):
    asked, running = open_running(worker)
    seen = []

    def follow():
        position = 0

        while position < 500:
            mark = running.live.mark()
            shown = running.live.read(0)
            position = len(shown)
            seen.append(worker.text(asked).startswith(shown))

            if position < 500:
                mark.wait(5)

    follower = threading.Thread(target=follow)
    follower.start()

    for n in range(100):
        running.stream.append(f"{n:05}")

    follower.join(30)
    assert seen and all(seen)
    check_journal(worker, asked, "".join(f"{n:05}" for n in range(100)))


def test_many_streams_share_groups_and_keep_apart(worker):
    opened = [open_running(worker) for _ in range(8)]

    def write(n, one):
        for k in range(50):
            one.append(f"<{n}:{k}>")

        one.flush()

    threads = [
        threading.Thread(target=write, args=(n, running.stream))
        for n, (_, running) in enumerate(opened)
    ]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(30)

    for n, (asked, running) in enumerate(opened):
        expected = "".join(f"<{n}:{k}>" for k in range(50))
        check_journal(worker, asked, expected)
        assert running.live.read(0) == expected

    assert worker.runtime.journal.groups < 8 * 50


def test_text_that_comes_while_a_round_is_taken_is_written_once(worker):
    """A journal that was submitted again while the round was still being gathered was prepared
    twice in it: two rows had one position, and each was written twice."""

    asked, running = open_running(worker)

    class Appends:
        done = threading.Event()

        def prepare(self):
            running.stream.append("second")

            return 1

        def execute(self, connection):
            pass

        def publish(self, error):
            self.done.set()

    class Holds(Appends):
        go = threading.Event()

        def prepare(self):
            return 1

        def publish(self, error):
            held.set()
            assert self.go.wait(10)

    held = threading.Event()
    worker.database.writer.submit(Holds())
    assert held.wait(10)
    running.stream.append("first, ")
    worker.database.writer.submit(Appends())
    Holds.go.set()
    assert Appends.done.wait(10)
    running.stream.flush()
    check_journal(worker, asked, "first, second")
    assert running.live.read(0) == "first, second"


def test_a_big_delta_is_cut_into_rows(worker):
    asked, running = open_running(worker)
    big = "".join(chr(0x1F300 + n % 256) for n in range(2 * MAX_ROW + 5))
    running.stream.append("a")
    running.stream.append(big)
    running.stream.append("z")
    running.stream.flush()
    check_journal(worker, asked, f"a{big}z")
    assert len(worker.chunks(asked)) >= 3


def test_a_stream_far_ahead_of_the_database_waits(worker, monkeypatch):
    monkeypatch.setattr(stream, "MAX_PENDING", 100)
    asked, running = open_running(worker)

    for _ in range(20):
        running.stream.append("x" * 40)
        assert running.stream.appended - running.stream.committed <= 100

    running.stream.flush()
    check_journal(worker, asked, "x" * 800)


def test_an_ended_generation_loses_its_part_and_the_others_are_written(worker):
    opened = [open_running(worker) for _ in range(3)]
    asked, running = opened[1]
    worker.database.write(end, asked.generation_id, Outcome("cancelled"))

    for _, each in opened:
        each.stream.append("text")

    for _, each in (opened[0], opened[2]):
        each.stream.flush()

    with pytest.raises(Fenced):
        running.stream.flush()

    with pytest.raises(Fenced):
        running.stream.append("more")

    assert running.cancellation.cancelled
    assert [worker.text(asked) for asked, _ in opened] == ["text", "", "text"]
    assert running.live.read(0) == ""


def test_a_writer_of_another_epoch_is_fenced(worker, make_worker):
    """F05: a worker was paused past its lease, and its generation went on elsewhere."""

    asked, running = open_running(worker)
    running.stream.append("mine ")
    running.stream.flush()

    def take_over(connection):
        mine = update(Generation).where(Generation.id == asked.generation_id)
        connection.execute(mine.values(epoch=Generation.epoch + 1, worker="another"))

    worker.database.write(take_over)
    running.stream.append("not any more")

    with pytest.raises(Fenced):
        running.stream.flush()

    assert worker.text(asked) == "mine " == running.live.read(0)
    assert running.cancellation.cancelled


def test_a_deleted_generation_is_fenced(worker):
    from flask_chatstream.conversations import delete_conversation

    asked, running = open_running(worker)
    running.stream.append("kept nowhere")
    running.stream.flush()
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)
    running.stream.append("nor this")

    with pytest.raises(Fenced):
        running.stream.flush()

    assert set(worker.rows().values()) == {0}


def test_an_empty_group_is_no_error(worker):
    with worker.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        written = write_group(connection, [], {1: 1})

    assert (written.live, written.held) == (set(), set())


def test_a_locked_generation_holds_up_no_other(server_url, make_worker):
    worker = make_worker(server_url)
    (held, held_running), (free, free_running) = (open_running(worker) for _ in range(2))
    other = create_engine(server_url)
    lock = "SELECT id FROM chatstream_generation WHERE id = :id FOR UPDATE"

    with other.begin() as connection:
        connection.execute(text(lock), {"id": held.generation_id})
        held_running.stream.append("held")

        for n in range(5):
            free_running.stream.append(str(n))
            free_running.stream.flush()

        assert held_running.stream.failure is None
        assert held_running.live.read(0) == ""

    held_running.stream.flush()
    held_running.stream.append(", then free")
    held_running.stream.flush()
    check_journal(worker, held, "held, then free")
    check_journal(worker, free, "01234")
    other.dispose()


def test_a_group_takes_no_longer_where_statistics_know_of_no_running_answer(
    migrated_postgres_url, make_worker
):
    """PostgreSQL then compared each generation of a group with all that ran."""

    worker = make_worker(migrated_postgres_url)
    asked, _ = open_running(worker)
    others = worker.generation(asked)
    names = ("conversation_id", "message_id", "owner", "created_at")
    same = {name: getattr(others, name) for name in names}

    with worker.engine.begin() as connection:
        connection.execute(insert(Generation), [{**same, "status": "completed"}] * 500)
        connection.execute(text("ANALYZE chatstream_generation, chatstream_chunk"))
        connection.execute(update(Generation).values(status="running", epoch=1))
        ids = connection.scalars(select(Generation.id)).all()

    sent = []

    with worker.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        event.listen(connection, "before_cursor_execute", lambda c, x, *what: sent.append(what[:2]))
        write_group(connection, [Row(id, 1, 0, "text") for id in ids], dict.fromkeys(ids, 1))
        statement, values = sent[0]
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar()

    assert "Nested Loop" not in str(plan) and "ix_chatstream_generation_status" not in str(plan)
    assert worker.rows()["chatstream_chunk"] == len(ids)


def test_mariadb_writes_groups_holds_and_fences(migrated_mariadb_url, make_worker):
    worker = make_worker(migrated_mariadb_url)
    opened = [open_running(worker) for _ in range(3)]
    worker.database.write(end, opened[0][0].generation_id, Outcome("cancelled"))
    other = create_engine(migrated_mariadb_url)
    lock = "SELECT id FROM chatstream_generation WHERE id = :id FOR UPDATE"

    with other.begin() as connection:
        connection.execute(text(lock), {"id": opened[1][0].generation_id})

        for _, running in opened:
            running.stream.append("Ünï 🌍")

        opened[2][1].stream.flush()

        with pytest.raises(Fenced):
            opened[0][1].stream.flush()

        assert opened[1][1].live.read(0) == ""

    opened[1][1].stream.flush()
    assert [worker.text(asked) for asked, _ in opened] == ["", "Ünï 🌍", "Ünï 🌍"]
    ended = worker.runtime.database.write(end, opened[1][0].generation_id, Outcome("completed"))
    assert ended.won and worker.message(opened[1][0]).content == "Ünï 🌍"
    other.dispose()


def test_connections_terminated_in_mid_stream_lose_and_double_nothing(
    server_url, make_worker, caplog
):
    """F12: five times a second for as long as the text comes."""

    caplog.set_level(logging.ERROR)
    worker = make_worker(server_url)
    opened = [open_running(worker) for _ in range(3)]
    over, kills = threading.Event(), []

    def kill():
        while not over.wait(0.2):
            end_connections(server_url)
            kills.append(time.monotonic())

    spawn(kill)
    expected = ""
    pause = threading.Event()

    while len(kills) < 8:
        piece = f"<{len(expected)}>"
        expected += piece

        for _, running in opened:
            running.stream.append(piece)

        pause.wait(0.002)

    over.set()

    for asked, running in opened:
        running.stream.flush()
        assert running.live.read(0) == expected
        check_journal(worker, asked, expected)


@pytest.fixture
def lost_answers(monkeypatch):
    """Lets a commit through and loses its answer, for as many groups as are asked for."""

    losses = []

    def write(connection, rows, epochs, inner=groups.write_group):
        written = inner(connection, rows, epochs)

        if losses:
            losses.pop()
            connection.connection.dbapi_connection.close()
            connection.exec_driver_sql("SELECT 'lost'")

        return written

    monkeypatch.setattr(journal, "write_group", write)

    return losses


def test_a_commit_whose_answer_was_lost_is_found_and_not_repeated(
    server_url, make_worker, lost_answers
):
    worker = make_worker(server_url)
    asked, running = open_running(worker)
    running.stream.append("before, ")
    running.stream.flush()

    for n in range(3):
        lost_answers[:] = [1] * (n + 1)
        running.stream.append(f"lost {n}, ")
        running.stream.flush()
        assert lost_answers == []

    expected = "before, lost 0, lost 1, lost 2, "
    check_journal(worker, asked, expected)
    assert running.live.read(0) == expected


def test_text_that_came_behind_a_lost_answer_is_written_once(server_url, make_worker, lost_answers):
    worker = make_worker(server_url)
    opened = [open_running(worker) for _ in range(2)]
    lost_answers[:] = [1, 1, 1]

    for n in range(100):
        for _, running in opened:
            running.stream.append(f"{n},")

    for asked, running in opened:
        running.stream.flush()
        check_journal(worker, asked, "".join(f"{n}," for n in range(100)))

    assert lost_answers == []


def test_a_generation_that_ended_behind_a_lost_answer_is_fenced(
    server_url, make_worker, lost_answers
):
    worker = make_worker(server_url)
    asked, running = open_running(worker)
    lost_answers[:] = [1]
    pause = threading.Event()

    class Cancels:
        def prepare(self):
            return 1

        def execute(self, connection):
            pass

        def publish(self, error):
            worker.database.write(end, asked.generation_id, Outcome("cancelled"))
            pause.set()

    running.stream.append("committed, unknown")
    wait_for(lambda: not lost_answers)
    worker.database.writer.submit(Cancels())
    assert pause.wait(10)

    if running.stream.failure is None and running.stream.committed == 0:
        with pytest.raises(Fenced):
            running.stream.flush()

    assert worker.message(asked).content == "committed, unknown"


class Away:
    """A database that takes no group until it is told to."""

    def __init__(self, monkeypatch):
        self.is_away = True
        self.inner = groups.write_group
        monkeypatch.setattr(journal, "write_group", self)

    def __call__(self, connection, rows, epochs):
        if self.is_away:
            raise ConnectionError("away")

        return self.inner(connection, rows, epochs)


def test_a_group_that_is_not_taken_is_kept_and_not_shown(worker, monkeypatch):
    away = Away(monkeypatch)
    asked, running = open_running(worker)
    running.stream.append("one ")
    wait_for(lambda: worker.runtime.journal._failing_since)
    running.stream.append("two")
    assert running.live.read(0) == ""
    away.is_away = False
    running.stream.flush()

    assert running.live.read(0) == "one two"
    check_journal(worker, asked, "one two")


def test_a_group_is_given_up_in_the_end(worker, monkeypatch, caplog):
    monkeypatch.setattr(journal, "GIVE_UP_SECONDS", 0.2)
    away = Away(monkeypatch)
    asked, running = open_running(worker)

    with caplog.at_level(logging.CRITICAL):
        running.stream.append("lost")

        with pytest.raises(StorageLost):
            running.stream.flush()

    assert running.cancellation.cancelled
    assert (running.live.read(0), worker.text(asked)) == ("", "")
    away.is_away = False
    other, other_running = open_running(worker)
    other_running.stream.append("goes on")
    other_running.stream.flush()
    check_journal(worker, other, "goes on")


def test_the_time_of_a_row_is_the_commits(worker):
    from datetime import UTC, datetime, timedelta

    from flask_chatstream.conversations import read_tails

    asked, running = open_running(worker)
    running.stream.append("now")
    running.stream.flush()

    with worker.database.read() as session:
        tail = read_tails(session, [asked.message_id])[asked.message_id]

    assert abs(tail.at - datetime.now(UTC)) < timedelta(seconds=30)
    assert tail.pieces == [(0, "now")]


def test_rows_of_an_earlier_generation_stay_where_they_are(migrated_sqlite_url, make_worker):
    """The journal's scan begins behind ``first_chunk``; ids below it belong to others."""

    worker = make_worker(migrated_sqlite_url)
    first, first_running = open_running(worker)
    first_running.stream.append("first")
    first_running.stream.flush()
    second, second_running = open_running(worker)
    second_running.stream.append("second")
    second_running.stream.flush()
    first_running.stream.append(" again")
    first_running.stream.flush()
    worker.runtime.tell(
        worker.runtime.database.write(end, first.generation_id, Outcome("completed"))
    )

    assert worker.message(first).content == "first again"
    assert worker.text(second) == "second"
    check_journal(worker, second, "second")


def test_the_database_itself_refuses_a_second_row_at_a_position(worker):
    if worker.database.dialect == "sqlite":
        return

    asked, _ = open_running(worker)
    row = Row(asked.generation_id, 1, 0, "a")
    values = {**row._asdict(), "at": 0}
    worker.database.write(lambda c: c.execute(insert(worker.database.journal).values(values)))

    with pytest.raises(IntegrityError, match=r"pk_chatstream_chunk|PRIMARY"):
        worker.database.write(lambda c: c.execute(insert(worker.database.journal).values(values)))
