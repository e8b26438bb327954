"""Continue: one more generation behind the text that an answer has (``docs/states.md``, 3.9)."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from itertools import combinations_with_replacement

import pytest

from flask_chatstream.conversations import Ask, Asked, Placement, ask, read_leaf
from flask_chatstream.errors import Conflict, NotFound, ProviderError
from flask_chatstream.events import Finished, ReasoningDelta, Usage
from flask_chatstream.following import End
from flask_chatstream.generation import join
from flask_chatstream.lifecycle.claims import claim
from flask_chatstream.lifecycle.ends import Outcome, end
from flask_chatstream.lifecycle.sweep import INTERRUPTED
from flask_chatstream.providers.scripted import Pause
from tests.services import ROOT
from tests.waiting import wait_for
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]

BROKEN = ProviderError("overloaded")


def wanted(worker, asked, **values):
    """An `Ask` of ``ann`` to continue an answer."""

    return Ask(
        **{
            "owner": "ann",
            "mount": "chatstream",
            "conversation_id": asked.conversation_id,
            "parent_id": asked.user_message_id,
            "answer_id": asked.message_id,
            "continues": True,
            "placement": worker.place.placement,
            **values,
        }
    )


def go_on(worker, asked, **values):
    """Continue an answer, and wait for its end."""

    again = ask(worker.database, wanted(worker, asked, **values))
    worker.place.start(again.generation_id, "chatstream")
    worker.wait_end(again)

    return again


def broken(worker, *items, **values):
    """An answer that broke off behind its text."""

    worker.provider.enqueue(*(items or ("Ünd 😀 so ",)), BROKEN)

    return worker.answer(**values)


@pytest.mark.every_database
def test_a_broken_answer_goes_on_behind_its_text(worker):
    first = broken(worker, "Ünd 😀 ", ReasoningDelta("one"), Usage(5, 3, cached_tokens=1))
    version = worker.conversation(first).version
    worker.provider.enqueue("weiter.", ReasoningDelta("two"), Usage(9, 2), Finished("stop", "m"))
    again = go_on(worker, first)
    message, generation = worker.message(again), worker.generation(again)

    assert (again.message_id, again.user_message_id) == (first.message_id, first.user_message_id)
    assert again.generation_id > first.generation_id
    assert (again.status, again.replayed, again.version) == ("generating", False, version + 1)
    assert (again.base_offset, generation.base_offset) == (6, 6)
    assert generation.char_count == 7 and generation.chunk_count >= 1
    assert worker.generation(first).char_count == 6
    assert (message.status, message.error_code, message.content) == (
        "completed",
        None,
        "Ünd 😀 weiter.",
    )
    assert (message.input_tokens, message.output_tokens) == (14, 5)
    assert message.usage["cached_tokens"] == 1
    assert (message.reasoning, message.finish_reason) == ("one\n\ntwo", "stop")
    check_counters(worker, again)

    request = worker.provider.requests[-1]
    assert request.prefix == "Ünd 😀 "
    assert [(m.role, m.content) for m in request.history] == [("user", "Why?")]
    assert [m.role for m in request.messages] == ["user", "assistant", "user"]
    assert request.messages[1].content == "Ünd 😀 "


def test_it_may_break_off_and_be_stopped_and_go_on_again(worker):
    first = broken(worker, "One, ", Usage(1, 1))
    worker.provider.enqueue("two, ", BROKEN)
    second = go_on(worker, first)
    gate = Pause()
    worker.provider.enqueue("three", gate)
    third = ask(worker.database, wanted(worker, first))
    worker.place.start(third.generation_id, "chatstream")
    gate.wait_reached()
    wait_for(lambda: worker.text(third) == "One, two, three")
    stopped = worker.cancel(third)
    worker.provider.enqueue(", four", Usage(1, 1))
    last = go_on(worker, first)

    assert (stopped.won, stopped.status, stopped.generation_id) == (
        True,
        "cancelled",
        third.generation_id,
    )
    assert [worker.generation(a).base_offset for a in (first, second, third, last)] == [
        0,
        5,
        10,
        15,
    ]
    assert worker.message(first).content == "One, two, three, four"
    assert (worker.message(first).input_tokens, worker.message(first).output_tokens) == (2, 2)
    check_counters(worker, first)


def test_an_end_without_more_text_is_an_end(worker):
    first = broken(worker, "All of it.")
    worker.provider.enqueue(Finished("stop"))
    again = go_on(worker, first)

    assert worker.message(again).status == "completed"
    assert worker.message(again).content == "All of it."
    assert worker.generation(again).chunk_count == 0


def test_what_the_model_repeats_is_left_out(worker):
    first = broken(worker, "It begins. The keeper of the lighthouse")
    worker.provider.enqueue("The keeper of ", "the lighthouse", " slept.")
    again = go_on(worker, first)

    assert worker.message(again).content == "It begins. The keeper of the lighthouse slept."


def test_what_was_held_back_comes_with_the_end(worker):
    first = broken(worker, "It begins. The keeper of the lighthouse")
    worker.provider.enqueue("The keeper")

    assert worker.message(go_on(worker, first)).content.endswith("the lighthouseThe keeper")


def test_the_longest_answer_counts_its_beginning(make_worker, migrated_url):
    worker = make_worker(migrated_url, max_answer_chars=10)
    first = broken(worker, "1234567")
    worker.provider.enqueue("89abc")
    again = go_on(worker, first)

    assert worker.message(again).content == "123456789a"
    assert worker.message(again).error_code == "limit"

    with pytest.raises(Conflict, match="as long as"):
        go_on(worker, first)


def test_the_one_who_began_it_is_asked_for_the_rest(worker):
    asked = broken(worker, provider="openai", model="gpt-x", temperature=0.25)
    go_on(worker, asked, provider="openai", default_model="gpt-y")
    request = worker.provider.requests[-1]
    assert (request.model, request.temperature) == ("gpt-x", 0.25)

    other = broken(worker, provider="openai", default_model="gpt-x", temperature=0.25)
    go_on(worker, other, provider="acme", default_model="large")
    request = worker.provider.requests[-1]
    assert (request.model, request.temperature) == ("large", None)


def test_an_answer_that_the_model_cut_goes_on(worker):
    worker.provider.enqueue("As long as it may", Finished("length", "vendor/gpt-x-2026"))
    first = worker.answer(provider="openai", model="gpt-x")
    worker.provider.enqueue(" be.")
    again = go_on(worker, first, provider="openai", default_model="gpt-x")

    assert worker.message(again).content == "As long as it may be."
    assert worker.provider.requests[-1].model == "gpt-x"


@pytest.mark.every_database
def test_many_submits_of_one_key_are_one_generation(worker):
    first = broken(worker, "One, ")
    gate = Pause()
    worker.provider.enqueue(gate, "two.")
    asks = [wanted(worker, first, key="again") for _ in range(8)]
    found = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(ask(worker.database, one)))
        for one in asks
    ]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    assert [a.replayed for a in found].count(False) == 1
    assert len({replace(a, replayed=False, version=None) for a in found}) == 1
    assert worker.rows()["chatstream_generation"] == 2

    worker.place.start(found[0].generation_id, "chatstream")
    gate.release()
    worker.wait_end(found[0])
    late = ask(worker.database, wanted(worker, first, key="again"))
    assert (late.generation_id, late.base_offset) == (found[0].generation_id, 5)
    assert (late.status, late.replayed) == ("completed", True)


@pytest.mark.every_database
def test_the_key_of_the_question_stands_for_the_first_generation(worker):
    first = broken(worker, "One, ", key="first")
    go_on(worker, first)
    late = worker.ask(key="first")

    assert (late.generation_id, late.base_offset) == (first.generation_id, 0)
    assert (late.message_id, late.replayed) == (first.message_id, True)


@pytest.mark.parametrize("owner", ["bob", "ANN", "ann "])
def test_a_foreign_answer_is_not_found(worker, owner):
    first = broken(worker)

    with pytest.raises(NotFound):
        ask(worker.database, wanted(worker, first, owner=owner))


def test_an_answer_of_another_conversation_is_not_found(worker):
    first, other = broken(worker), broken(worker)

    with pytest.raises(NotFound):
        ask(worker.database, wanted(worker, first, conversation_id=other.conversation_id))


def refused(worker, asked, words, code="not_continuable", **values):
    before = worker.rows(), worker.conversation(asked).version

    with pytest.raises(Conflict, match=words) as refusal:
        ask(worker.database, wanted(worker, asked, key="k", **values))

    assert refusal.value.code == code
    assert (worker.rows(), worker.conversation(asked).version) == before


def test_what_cannot_be_continued_is_refused_with_nothing_stored(worker):
    worker.provider.enqueue("Whole.")
    whole = worker.answer()
    refused(worker, whole, "complete")
    refused(worker, whole, "Only an answer", answer_id=whole.user_message_id)

    worker.provider.enqueue(BROKEN)
    refused(worker, worker.answer(), "no text")

    asked = broken(worker)
    worker.answer(conversation_id=asked.conversation_id)
    refused(worker, asked, "gone on below")

    running = worker.ask()
    refused(worker, running, "still being written", code="generation_active")


def test_it_comes_back_to_the_branch_that_is_shown(worker):
    first = broken(worker, "One, ")
    beside = worker.answer(
        turns=(), conversation_id=first.conversation_id, parent_id=first.user_message_id
    )
    assert worker.conversation(first).active_leaf == beside.message_id

    go_on(worker, first)
    assert worker.conversation(first).active_leaf == first.message_id


def test_an_end_of_before_does_not_end_it(worker):
    """A runner, a stop or a sweep that comes late names the old generation, which has its end."""

    first = broken(worker, "One, ")
    again = ask(worker.database, wanted(worker, first))
    late = worker.database.write(end, first.generation_id, INTERRUPTED)

    assert (late.won, late.status, late.error_code) == (False, "error", "overloaded")
    assert worker.message(first).status == "generating"
    worker.cancel(again)


class Life:
    """A running answer that breaks off, goes on and ends; after each step a poller has its turn."""

    def __init__(self, worker, viewer):
        self._worker, self._done = worker, 0
        self.asked = worker.ask(worker=None, lease=None)
        self._running = self._open(self.asked)
        self._group()
        self._tick = viewer.runtime.poller.tick
        self._steps = [self._break, self._go_on, self._group, self._finish]

    def go_to(self, until):
        for step in self._steps[self._done : until]:
            step()
            self._tick()

        self._done = max(self._done, until)

    def _open(self, asked):
        values = (asked.generation_id, self._worker.runtime.worker, 3600.0)

        return self._worker.runtime.open(self._worker.database.write(claim, *values))

    def _group(self):
        self._running.stream.append(f"<{self._done} ünd 😀>")
        self._running.stream.flush()

    def _end(self, outcome):
        self._worker.runtime.end(self._running, outcome)
        self._worker.runtime.leave(self._running)

    def _break(self):
        self._end(INTERRUPTED)

    def _go_on(self):
        placement = Placement("thread", None, None)
        more = wanted(self._worker, self.asked, placement=placement)
        self._running = self._open(ask(self._worker.database, more))

    def _finish(self):
        self._end(Outcome("completed"))


def test_no_moment_between_two_generations_leaves_a_hole(worker, make_worker):
    """A viewer in another process joins while the answer breaks off, and while it goes on.

    It is left with the generation that it found, whose end sends it to read again.
    """

    viewer = make_worker(worker.url)
    steps, ends = 4, {End("completed"), End("error", "interrupted")}

    for before, taken, read in combinations_with_replacement(range(steps + 1), 3):
        life = Life(worker, viewer)
        find = partial(
            read_leaf, owner="ann", mount="chatstream", conversation_id=life.asked.conversation_id
        )

        def look(session, life=life, taken=taken, read=read, find=find):
            life.go_to(taken)
            branch = find(session)
            life.go_to(read)

            return branch

        life.go_to(before)
        joined = join(viewer.runtime, life.asked.conversation_id, look)
        life.go_to(steps)
        content = worker.message(life.asked).content
        moment = (before, taken, read)

        assert content.startswith(joined.last.text), moment

        if joined.live is None:
            assert joined.last.message.status != "generating", moment
        else:
            shown = joined.prefix + joined.live.read(0)
            assert content.startswith(shown) and shown.startswith(joined.last.text), moment
            assert joined.live.end in ends, moment
            assert joined.live.end.status == "error" or shown == content, moment


def test_the_live_of_an_older_generation_ends_with_its_own_text(worker, make_worker):
    """Its process looks late, when the answer has gone on and ended."""

    first = broken(worker, "One, ")
    worker.provider.enqueue("two.")
    go_on(worker, first)
    viewer = make_worker(worker.url)
    live = viewer.runtime.follow.join(
        first.generation_id, first.message_id, first.conversation_id, 0
    )
    viewer.runtime.poller.tick()

    assert (live.read(0), live.end) == ("One, ", End("error", "overloaded"))


KILLED = """
import sys
from flask_chatstream.providers.scripted import Pause
from tests.waiting import wait_for
from tests.workers import Worker
worker = Worker(sys.argv[1])
worker.provider.enqueue("What was sho", Pause())
asked = worker.start()
wait_for(lambda: worker.text(asked) == "What was sho")
print(asked.conversation_id, asked.user_message_id, asked.message_id, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_worker_has_shown_goes_on(worker):
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, worker.url], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
    )
    conversation, question, message = process.stdout.readline().split()
    process.kill()
    process.communicate()
    asked = Asked(conversation, question, message, None, "generating")
    worker.runtime.settle(conversation)
    assert (worker.message(asked).error_code, worker.text(asked)) == ("interrupted", "What was sho")

    worker.provider.enqueue("wn stays.")
    assert worker.message(go_on(worker, asked)).content == "What was shown stays."
    assert worker.message(asked).status == "completed"
    check_counters(worker, asked)
