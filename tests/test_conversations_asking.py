"""Asking: one transaction, one pair per key, counters that hold."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from flask_chatstream.conversations import Turn, delete_conversation
from flask_chatstream.errors import Conflict, InvalidRequest, NotFound, ProviderError
from flask_chatstream.events import Finished, Usage
from flask_chatstream.models import Generation, Message, Submission
from flask_chatstream.providers.scripted import Pause
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


def messages(worker, asked):
    mine = Message.conversation_id == asked.conversation_id

    with worker.database.read() as session:
        return session.scalars(select(Message).where(mine).order_by(Message.depth)).all()


def test_a_question_is_stored_with_the_answer_to_come(worker):
    asked = worker.ask("Why is the sky blue?", provider="openai", model="gpt-x", request_id="r1")
    question, answer = messages(worker, asked)
    conversation, generation = worker.conversation(asked), worker.generation(asked)

    assert (question.id, answer.id) == (asked.user_message_id, asked.message_id)
    assert (question.role, question.status, question.content) == (
        "user",
        "completed",
        "Why is the sky blue?",
    )
    assert (answer.role, answer.status, answer.content) == ("assistant", "generating", "")
    assert (question.parent_id, answer.parent_id) == (None, question.id)
    assert (question.depth, answer.depth) == (0, 1)
    assert (generation.status, generation.epoch, generation.base_offset) == ("queued", 0, 0)
    assert (generation.worker, generation.owner) == (worker.runtime.worker, "ann")
    assert (generation.provider, generation.model, generation.request_id) == (
        "openai",
        "gpt-x",
        "r1",
    )
    lease = timedelta(seconds=worker.runtime.settings.lease_seconds)
    assert generation.lease_until == generation.created_at + lease
    assert (conversation.title, conversation.title_source) == ("Why is the sky blue?", "words")
    assert (conversation.active_leaf, conversation.version) == (answer.id, 1)
    assert (asked.status, asked.replayed) == ("generating", False)
    check_counters(worker, asked)


def test_asking_again_goes_on_below_the_answer(worker):
    first = worker.answer("One?")
    second = worker.answer("Two?", conversation_id=first.conversation_id)
    stored = messages(worker, first)

    assert [m.depth for m in stored] == [0, 1, 2, 3]
    assert [m.parent_id for m in stored] == [None, *(m.id for m in stored[:3])]
    assert worker.conversation(first).active_leaf == second.message_id
    assert worker.conversation(first).title == "One?"
    check_counters(worker, first)


def test_many_turns_are_stored_as_a_path(worker):
    turns = tuple(Turn("assistant" if n % 2 else "user", f"Turn {n}") for n in range(41))
    asked = worker.ask(turns=turns)
    *path, answer = messages(worker, asked)

    assert [message.content for message in path] == [turn.content for turn in turns]
    assert [message.parent_id for message in (*path, answer)] == [None, *(m.id for m in path)]
    assert worker.conversation(asked).title == "Turn 0"
    check_counters(worker, asked)


def test_earlier_turns_are_stored_as_the_path(worker):
    turns = (Turn("system", "Be short."), Turn("user", "a"), Turn("assistant", "b"))
    asked = worker.ask(turns=(*turns, Turn("user", "c")))

    assert [(m.role, m.content) for m in messages(worker, asked)] == [
        ("system", "Be short."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
        ("assistant", ""),
    ]
    assert worker.conversation(asked).title == "a"
    check_counters(worker, asked)


def test_a_message_can_be_stored_without_an_answer(worker):
    asked = worker.ask("note", answer=False)

    assert (asked.message_id, asked.generation_id, asked.status) == (None, None, "completed")
    assert worker.conversation(asked).active_leaf == asked.user_message_id
    check_counters(worker, asked)


def test_an_answer_can_be_made_again_beside_the_first(worker):
    first = worker.answer("Why?")
    again = worker.answer(
        turns=(), conversation_id=first.conversation_id, parent_id=first.user_message_id
    )
    answers = [m for m in messages(worker, first) if m.role == "assistant"]

    assert {m.parent_id for m in answers} == {first.user_message_id}
    assert again.user_message_id == first.user_message_id
    assert worker.conversation(first).active_leaf == again.message_id
    check_counters(worker, first)


def test_only_a_question_is_answered_again(worker):
    asked = worker.answer()

    with pytest.raises(InvalidRequest):
        worker.ask(turns=(), conversation_id=asked.conversation_id)

    with pytest.raises(InvalidRequest):
        worker.ask(turns=())

    check_counters(worker, asked)
    assert worker.rows()["chatstream_conversation"] == 1


def test_a_question_can_be_asked_anew_on_a_branch(worker):
    first = worker.answer("One?")
    second = worker.answer("Two?", conversation_id=first.conversation_id)
    branch = worker.answer(
        "Three?", conversation_id=first.conversation_id, parent_id=first.message_id
    )
    stored = {m.id: m for m in messages(worker, first)}

    assert stored[branch.user_message_id].parent_id == first.message_id
    assert stored[second.user_message_id].parent_id == first.message_id
    assert worker.conversation(first).active_leaf == branch.message_id
    check_counters(worker, first)


def test_nobody_asks_below_an_answer_that_is_being_written(worker):
    asked = worker.ask()

    with pytest.raises(Conflict) as caught:
        worker.ask("And?", conversation_id=asked.conversation_id)

    assert caught.value.code == "generation_active"
    assert worker.rows()["chatstream_message"] == 2
    worker.cancel(asked)
    worker.ask("And?", conversation_id=asked.conversation_id)
    check_counters(worker, asked)


@pytest.mark.parametrize(
    "foreign", [{"owner": "bob"}, {"owner": "ANN"}, {"owner": "ann "}, {"mount": "support"}]
)
def test_a_foreign_conversation_is_not_found(worker, foreign):
    asked = worker.answer()
    before = worker.rows()

    with pytest.raises(NotFound):
        worker.ask("Hi", conversation_id=asked.conversation_id, key="k", **foreign)

    assert worker.rows() == before


def test_mariadb_tells_owners_apart(migrated_mariadb_url, make_worker):
    worker = make_worker(migrated_mariadb_url)
    asked = worker.answer(owner="bob")

    for owner in ("BOB", "böb", "bob "):
        with pytest.raises(NotFound):
            worker.ask("Hi", conversation_id=asked.conversation_id, owner=owner)

    first = worker.ask(owner="bob", key="K")
    assert worker.ask(owner="bob", key="k").conversation_id != first.conversation_id
    assert worker.ask(owner="bob", key="K").replayed


@pytest.mark.parametrize("wanted", [{"conversation_id": "0" * 32}, {"parent_id": "0" * 32}])
def test_what_is_missing_is_not_found(worker, wanted):
    with pytest.raises(NotFound):
        worker.ask("Hi", **wanted)

    assert set(worker.rows().values()) == {0}


def test_a_parent_in_another_conversation_is_not_found(worker):
    first, second = worker.answer(), worker.answer()

    with pytest.raises(NotFound):
        worker.ask("Hi", conversation_id=second.conversation_id, parent_id=first.message_id)


def test_the_same_key_again_is_a_replay(worker):
    first = worker.ask("Why?", key="k1")
    again = worker.ask("Something else?", key="k1")

    assert again.replayed and not first.replayed
    assert (again.conversation_id, again.user_message_id, again.message_id) == (
        first.conversation_id,
        first.user_message_id,
        first.message_id,
    )
    assert (again.generation_id, again.status) == (first.generation_id, "generating")
    worker.runner.run(first.generation_id)
    assert worker.ask(key="k1").status == "completed"
    assert worker.rows()["chatstream_message"] == 2
    check_counters(worker, first)


def test_a_key_is_its_owners(worker):
    first, second = worker.ask(key="k1"), worker.ask(key="k1", owner="bob")

    assert not second.replayed
    assert first.conversation_id != second.conversation_id


def test_a_replay_without_an_answer(worker):
    first = worker.ask("note", answer=False, key="k1")
    again = worker.ask("note", answer=False, key="k1")

    assert again.user_message_id == first.user_message_id
    assert (again.message_id, again.generation_id, again.status) == (None, None, "completed")
    assert again.replayed
    assert worker.rows()["chatstream_message"] == 1


def test_a_failed_ask_uses_up_no_key(worker):
    with pytest.raises(NotFound):
        worker.ask(conversation_id="0" * 32, key="k1")

    assert not worker.ask(key="k1").replayed


def test_the_key_of_a_deleted_conversation_makes_nothing_anew(worker):
    asked = worker.ask(key="k1")
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)

    with pytest.raises(NotFound):
        worker.ask(key="k1")

    assert worker.rows()["chatstream_message"] == 0
    assert worker.rows()["chatstream_submission"] == 1


@pytest.mark.parametrize("is_new", [True, False])
def test_one_submit_twenty_times_at_once_makes_one_pair(worker, make_worker, is_new):
    """F33, on two workers: one pair of messages, one provider call."""

    other = make_worker(worker.url)
    where = {} if is_new else {"conversation_id": worker.answer().conversation_id}
    before = worker.rows()
    asked, errors, ready = [], [], threading.Barrier(20)

    def submit(by):
        ready.wait(20)

        try:
            asked.append(by.ask("Once?", key="k1", **where))
            by.runner.run(asked[-1].generation_id)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=submit, args=((worker, other)[n % 2],)) for n in range(20)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(40)

    assert errors == []
    assert len({(a.conversation_id, a.user_message_id, a.message_id) for a in asked}) == 1
    assert len({a.generation_id for a in asked}) == 1
    assert sum(not a.replayed for a in asked) == 1
    rows = worker.rows()
    assert rows["chatstream_message"] - before["chatstream_message"] == 2
    assert rows["chatstream_generation"] - before["chatstream_generation"] == 1
    calls = [r for w in (worker, other) for r in w.provider.requests]
    assert sum(r.messages[-1].content == "Once?" for r in calls) == 1
    check_counters(worker, asked[0])


def test_two_questions_at_once_in_one_conversation_have_one_winner(worker, make_worker):
    other = make_worker(worker.url)
    first = worker.answer()
    asked, refused, ready = [], [], threading.Barrier(6)

    def submit(by, n):
        ready.wait(20)

        try:
            asked.append(by.ask(f"{n}?", conversation_id=first.conversation_id))
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=submit, args=((worker, other)[n % 2], n)) for n in range(6)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(30)

    assert (len(asked), len(refused)) == (1, 5)
    check_counters(worker, first)


def test_counters_equal_a_recount_after_everything(worker):
    seen = [0]

    def check(asked):
        check_counters(worker, asked)
        conversation = worker.conversation(asked)
        assert conversation.version > seen[-1]
        seen.append(conversation.version)

        with worker.database.read() as session:
            newest = max(
                session.scalars(
                    select(Message.updated_at).where(
                        Message.conversation_id == asked.conversation_id
                    )
                )
            )

        assert conversation.last_message_at == newest

    worker.provider.enqueue("a", Usage(10, 5), Finished("stop"))
    first = worker.answer("one")
    check(first)
    where = {"conversation_id": first.conversation_id}
    worker.provider.enqueue("b", Usage(20, 1), ProviderError("overloaded"))
    check(worker.answer("two", **where))
    gate = Pause()
    worker.provider.enqueue("c", Usage(7, 7), gate)
    stopped = worker.start("three", **where)
    gate.wait_reached()
    worker.cancel(stopped)
    check(stopped)
    check(worker.ask("four", answer=False, **where))
    queued = worker.ask("five", **where)
    check(queued)
    worker.cancel(queued)
    check(queued)
    assert worker.conversation(first).total_tokens == 36

    worker.database.write(delete_conversation, "ann", "chatstream", first.conversation_id)
    assert set(worker.rows().values()) == {0}


def test_a_replay_whose_generation_never_started_can_be_started_again(worker):
    """The first submit was stored and its process died before the start."""

    first = worker.ask(key="k1")
    again = worker.ask(key="k1")
    worker.runner.run(again.generation_id)
    worker.runner.run(again.generation_id)

    assert worker.generation(first).status == "completed"
    assert len(worker.provider.requests) == 1


def test_the_answer_and_its_generation_are_of_the_conversations_model(worker):
    first = worker.ask("Hi", model="gpt-x")
    worker.cancel(first)
    second = worker.ask("Again", conversation_id=first.conversation_id)

    assert worker.generation(second).model == "gpt-x"

    with worker.database.read() as session:
        assert session.scalars(select(Generation.model)).all() == ["gpt-x", "gpt-x"]
        assert session.scalars(select(Submission.key)).all() == []
