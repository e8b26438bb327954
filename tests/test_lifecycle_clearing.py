from __future__ import annotations

import pytest
from sqlalchemy import event

from flask_chatstream.generation import upkeep
from flask_chatstream.lifecycle import clearing
from flask_chatstream.lifecycle.clearing import clear_journal
from flask_chatstream.providers.scripted import Pause
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]


def chunks(worker):
    return worker.rows()["chatstream_chunk"]


def hold(worker, *texts):
    """An answer that has stored its texts, one row each, and waits."""

    gates = [Pause() for _ in texts]
    worker.provider.enqueue(*(item for pair in zip(texts, gates, strict=True) for item in pair))
    asked = worker.start()
    stream = None

    for gate in gates:
        gate.wait_reached()
        stream = stream or worker.wait_running(asked).stream
        stream.flush()

        if gate is not gates[-1]:
            gate.release()

    return asked, gates[-1]


@pytest.fixture
def by_hand(monkeypatch):
    """The background work leaves the journal alone."""

    monkeypatch.setattr(upkeep, "clear_journal", lambda database: 0)


@pytest.mark.usefixtures("by_hand")
def test_an_end_leaves_the_rows_that_lie_among_others(make_worker, migrated_sqlite_url):
    worker = make_worker(migrated_sqlite_url)
    asked = worker.answer()

    assert worker.message(asked).content == worker.text(asked) == "A scripted answer."
    assert "".join(text for _, _, text in worker.chunks(asked)) == "A scripted answer."


@pytest.mark.db
def test_an_end_takes_the_rows_that_lie_together(make_worker, migrated_postgres_url):
    worker = make_worker(migrated_postgres_url)
    asked = worker.answer()

    assert worker.chunks(asked) == []
    assert clear_journal(worker.database) == 0


@pytest.mark.usefixtures("by_hand")
def test_ended_answers_are_cleared_from_the_front(make_worker, migrated_sqlite_url):
    worker = make_worker(migrated_sqlite_url)
    worker.answer()
    asked, gate = hold(worker, "one ", "two ")
    worker.answer()
    before = worker.chunks(asked)
    clear_journal(worker.database)

    assert worker.chunks(asked) == before and len(before) == 2
    assert worker.text(asked) == "one two "

    # What came after the running one's claim waits for its end.
    behind = chunks(worker) - len(before)
    assert behind > 0
    gate.release()
    worker.wait_end(asked)
    assert clear_journal(worker.database) == len(before) + behind
    assert chunks(worker) == 0
    assert worker.message(asked).content == "one two "


@pytest.mark.usefixtures("by_hand")
def test_many_rows_go_in_many_transactions(make_worker, migrated_sqlite_url, monkeypatch):
    monkeypatch.setattr(clearing, "BATCH", 2)
    worker = make_worker(migrated_sqlite_url)
    first, gate = hold(worker, *"abcde")
    gate.release()
    worker.wait_end(first)
    deletes = []
    event.listen(
        worker.engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, *rest: deletes.append(statement.startswith("DELETE")),
    )

    assert clear_journal(worker.database) == 5
    assert sum(deletes) == 3
    assert clear_journal(worker.database) == 0


@pytest.mark.usefixtures("by_hand")
def test_ids_of_cleared_rows_do_not_come_again(make_worker, migrated_sqlite_url):
    """A poller reads on behind the last id that it saw."""

    worker = make_worker(migrated_sqlite_url)
    worker.answer()
    table = worker.database.journal

    def newest():
        with worker.database.read() as session:
            return max(session.scalars(table.select().with_only_columns(table.c.id)))

    before = newest()
    clear_journal(worker.database)
    worker.answer()

    assert newest() > before


def test_an_answer_elsewhere_is_followed_over_a_clearing(make_worker, migrated_sqlite_url):
    writer, viewer = (make_worker(migrated_sqlite_url) for _ in range(2))
    writer.answer()
    asked, gate = hold(writer, "one ")
    claimed = writer.wait_running(asked).claimed
    ids = claimed.generation_id, claimed.message_id, claimed.conversation_id
    live = viewer.runtime.follow.join(*ids, claimed.base_offset)
    viewer.runtime.poller.ensure()
    wait_for(lambda: live.read(0) == "one ")
    clear_journal(writer.database)
    gate.release()
    wait_for(lambda: live.end)

    assert live.read(0) == writer.message(asked).content


def test_the_background_work_clears(make_worker, migrated_sqlite_url, monkeypatch):
    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.02)
    worker = make_worker(migrated_sqlite_url, sweep_seconds=0.05)
    worker.answer()

    wait_for(lambda: chunks(worker) == 0)
