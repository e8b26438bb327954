"""Answers that came to nothing go, once they are old and another one stands beside them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from flask_chatstream.conversations import (
    RoundMark,
    find_placeholders,
    placeholders,
    remove_placeholders,
)
from flask_chatstream.errors import ProviderError
from flask_chatstream.events import ReasoningDelta
from flask_chatstream.generation import upkeep
from flask_chatstream.models import Conversation, Message, Reaction
from flask_chatstream.storage import now
from tests.waiting import wait_for
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


def fail(worker, question="Why?", *said, **wanted):
    """An answer that fails after what was ``said``."""

    worker.provider.enqueue(*said, ProviderError("overloaded"))

    return worker.answer(question, **wanted)


def again(worker, asked, *said):
    """Another answer to the same question, which fails unless it says something."""

    worker.provider.enqueue(*(said or (ProviderError("timeout"),)))
    place = {"turns": (), "conversation_id": asked.conversation_id}

    return worker.answer(**place, parent_id=asked.user_message_id)


def age(worker, days=2):
    """Make every answer older."""

    def job(connection):
        moment = now(connection) - timedelta(days=days)
        connection.execute(update(Message).values(updated_at=moment))

    worker.database.write(job)


def clear(worker):
    """Go round once; how many answers went."""

    mark, removed = RoundMark(), 0

    while mark is not None:
        count, mark = remove_placeholders(worker.database, mark)
        removed += count

    return removed


def messages(worker):
    with worker.database.read() as session:
        return set(session.scalars(select(Message.id)))


def test_what_came_to_nothing_goes_and_all_else_stays(worker):
    failed = fail(worker)
    nothing, whole = again(worker, failed), again(worker, failed, "An answer.")
    last = again(worker, failed)
    half = fail(worker, "Half?", "Half an ans")
    again(worker, half, "A whole one.")
    alone = fail(worker, "Alone?")
    again(worker, alone)
    thought = fail(worker, "Thought?", ReasoningDelta("Hm."))
    again(worker, thought, "So.")
    gone_on = fail(worker, "And then?")
    worker.provider.enqueue("Below it.")
    worker.answer("On", conversation_id=gone_on.conversation_id)
    again(worker, gone_on, "Beside it.")
    everything = messages(worker)

    assert clear(worker) == 0  # not old enough
    age(worker)
    before = worker.conversation(failed).version
    assert clear(worker) == 2
    assert everything - messages(worker) == {failed.message_id, nothing.message_id}
    # The newest is what the conversation shows; those of the others have something to lose.
    assert worker.conversation(failed).active_leaf == last.message_id
    assert worker.conversation(failed).version == before + 1
    assert worker.message(whole).content == "An answer."

    for asked in (failed, half, alone, thought, gone_on):
        check_counters(worker, asked)

    assert clear(worker) == 0


def test_what_somebody_has_rated_stays(worker):
    failed = fail(worker)
    again(worker, failed, "An answer.")
    age(worker)
    moment = worker.message(failed).updated_at
    rating = Reaction(message_id=failed.message_id, owner="ann", value=-1)
    rating.created_at = rating.updated_at = moment
    values = {c.name: getattr(rating, c.name) for c in Reaction.__table__.columns}
    worker.database.write(lambda c: c.execute(Reaction.__table__.insert(), values))

    assert clear(worker) == 0


def test_what_is_chosen_meanwhile_stays(worker):
    """What was found is judged again under the conversation's lock."""

    failed = fail(worker)
    again(worker, failed, "An answer.")
    age(worker)
    found, _ = find_placeholders(worker.database, RoundMark("error"))
    assert found == [(failed.message_id, failed.conversation_id)]
    chosen = update(Conversation).values(active_leaf=failed.message_id)
    worker.database.write(lambda connection: connection.execute(chosen))

    assert worker.database.write(placeholders._remove, failed.conversation_id, [found[0][0]]) == 0
    assert failed.message_id in messages(worker)


def test_a_round_goes_page_by_page_over_answers_of_one_moment(worker, monkeypatch):
    monkeypatch.setattr(placeholders, "PAGE", 2)
    failed = [fail(worker, f"{n}?") for n in range(5)]
    age(worker)
    marks, mark = [], RoundMark("error")

    while mark is not None:
        _, mark = find_placeholders(worker.database, mark)
        marks.append(mark)

    assert [m.id for m in marks if m] == [failed[1].message_id, failed[3].message_id]


def test_the_background_work_does_it(worker, monkeypatch):
    monkeypatch.setattr(upkeep, "EXPIRE_SECONDS", 0.0)
    failed = fail(worker)
    again(worker, failed, "An answer.")
    age(worker)
    worker.runtime.upkeep.close()
    wait_for(lambda: not worker.runtime.upkeep.is_running)

    for _ in range(2):  # a page of those that were stopped, a page of those that failed
        worker.runtime.upkeep.tidy(worker.runtime)

    assert failed.message_id not in messages(worker)
