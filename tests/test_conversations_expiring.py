"""What is kept for a while only goes after it, and nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from flask_chatstream.conversations import expire, expiring, store_revocation
from flask_chatstream.models import Revocation, Submission
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


def age(worker, row, column, **since):
    """Make every row of a kind older."""

    with worker.database.read() as session:
        moment = session.scalars(select(column)).first()

    older = update(row).values({column: moment - timedelta(**since)})
    worker.database.write(lambda connection: connection.execute(older))


def test_a_key_stands_for_a_day(worker):
    first = worker.ask("Why?", key="k")
    age(worker, Submission, Submission.created_at, hours=23)
    assert not worker.database.write(expire)
    assert worker.ask("Why?", key="k").message_id == first.message_id

    age(worker, Submission, Submission.created_at, hours=2)
    assert not worker.database.write(expire)
    assert worker.ask("Why?", key="k").message_id != first.message_id
    assert worker.rows()["chatstream_submission"] == 1


def test_old_keys_go_in_batches(worker, monkeypatch):
    monkeypatch.setattr(expiring, "BATCH", 2)

    for n in range(5):
        worker.ask("Why?", key=f"k{n}")

    with worker.database.read() as session:
        newest = session.scalars(
            select(Submission.created_at).order_by(Submission.created_at)
        ).all()

    for n, moment in enumerate(newest):
        older = update(Submission).where(Submission.key == f"k{n}")
        values = older.values(created_at=moment - timedelta(days=2, seconds=n))
        worker.database.write(lambda connection, values=values: connection.execute(values))

    left = []

    while worker.database.write(expire):
        left.append(worker.rows()["chatstream_submission"])

    assert left == [3, 1]
    assert worker.rows()["chatstream_submission"] == 0
    assert worker.rows()["chatstream_message"] == 10


def test_a_revocation_is_kept_as_long_as_anybody_looks(worker):
    worker.database.write(store_revocation, "ann")
    worker.database.write(expire)
    assert worker.rows()["chatstream_revocation"] == 1

    age(worker, Revocation, Revocation.at, hours=2)
    worker.database.write(expire)
    assert worker.rows()["chatstream_revocation"] == 0


def test_the_background_work_does_it(worker):
    worker.ask("Why?", key="k")
    age(worker, Submission, Submission.created_at, days=2)
    worker.runtime.upkeep.start()

    wait_for(lambda: worker.rows()["chatstream_submission"] == 0, timeout=20)
