"""The runner: whatever ends a generation, its row learns it, once, and the text stays."""

from __future__ import annotations

import gc
import logging
import threading

import pytest
from gevent import GreenletExit, Timeout

from flask_chatstream.conversations import delete_conversation
from flask_chatstream.errors import ProviderError, StorageUnavailable
from flask_chatstream.events import Finished, ReasoningDelta, TextDelta, Usage
from flask_chatstream.following import End
from flask_chatstream.generation import journal, runner
from flask_chatstream.providers.scripted import Pause
from tests.waiting import wait_for
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]


class Broken(BaseException):
    """What no handler of exceptions catches."""


class Plays:
    """A model whose answer is a function of the request and the cancellation."""

    name = "plays"

    def __init__(self, play):
        self.play = play

    def stream(self, request, cancellation):
        return self.play(request, cancellation)


def state(worker, asked):
    message, generation = worker.message(asked), worker.generation(asked)

    return generation.status, message.status, message.error_code, message.content


@pytest.mark.every_database
def test_a_whole_answer_is_completed(worker):
    worker.provider.enqueue(
        "Hello ",
        ReasoningDelta("thinking"),
        "world",
        Usage(11, 7, reasoning_tokens=2),
        Finished("stop", "model-2026"),
    )
    asked = worker.answer("Why?", model="model", temperature=0.5)
    message, generation = worker.message(asked), worker.generation(asked)

    assert state(worker, asked) == ("completed", "completed", None, "Hello world")
    assert (message.reasoning, message.finish_reason) == ("thinking", "stop")
    assert (message.input_tokens, message.output_tokens) == (11, 7)
    assert message.usage["reasoning_tokens"] == 2
    assert message.model == generation.model == "model-2026"
    assert (generation.epoch, generation.attempts, generation.char_count) == (1, 1, 11)
    assert generation.chunk_count >= 1 and generation.temperature == 0.5
    assert generation.created_at <= generation.started_at <= generation.first_token_at
    assert generation.first_token_at <= generation.ended_at
    wait_for(lambda: len(worker.ends) == 1)
    check_counters(worker, asked)

    (request,) = worker.provider.requests
    assert [(m.role, m.content) for m in request.messages] == [("user", "Why?")]
    assert (request.model, request.temperature) == ("model", 0.5)


@pytest.mark.parametrize(
    ("items", "code", "content"),
    [
        (["half", ProviderError("overloaded")], "overloaded", "half"),
        ([ProviderError("rate_limited", retryable=True)], "rate_limited", ""),
        ([Finished("stop")], "empty", ""),
        ([Finished("content_filter")], "content_filter", ""),
        ([ReasoningDelta("only"), Finished("stop")], "empty", ""),
    ],
)
def test_a_failed_answer_is_an_error_that_keeps_its_text(worker, items, code, content):
    worker.provider.enqueue(*items)
    asked = worker.answer()

    assert state(worker, asked) == ("error", "error", code, content)
    check_counters(worker, asked)


def test_an_answer_without_the_providers_own_end_is_incomplete(worker):
    worker.model = Plays(lambda request, cancellation: iter([TextDelta("half")]))

    assert state(worker, worker.answer()) == ("error", "error", "incomplete", "half")


def test_any_iterator_will_do(worker):
    events = [TextDelta("whole"), Finished("stop")]
    worker.model = Plays(lambda request, cancellation: iter(events))

    assert state(worker, worker.answer())[1:] == ("completed", None, "whole")


@pytest.mark.parametrize("error", [RuntimeError, Timeout, MemoryError, Broken])
@pytest.mark.parametrize("at", ["call", "start", "middle"])
def test_any_failure_ends_it_as_internal(worker, error, at, caplog, monkeypatch):
    """F08. What is no `Exception` goes on upwards once the end is stored."""

    def play(request, cancellation):
        if at == "middle":
            yield TextDelta("half")

        raise error("canary 7f3a")

    def fail(request, cancellation):
        raise error("canary 7f3a")

    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    worker.model = Plays(fail if at == "call" else play)

    with caplog.at_level(logging.ERROR):
        asked = worker.answer()
        wait_for(lambda: not worker.runtime.running())
        wait_for(lambda: len(worker.ends) == 1)

    failed = [
        r for r in caplog.records if r.getMessage() == f"Generation {asked.generation_id} failed."
    ]
    assert len(failed) == 1
    assert ": canary" not in caplog.text
    content = "half" if at == "middle" else ""
    assert state(worker, asked) == ("error", "error", "internal", content)


@pytest.mark.parametrize("error", [GreenletExit, KeyboardInterrupt, SystemExit])
def test_an_answer_that_is_killed_is_interrupted_and_keeps_its_text(worker, error, monkeypatch):
    """A server that stops in a hurry kills what runs; nothing is wrong with the site."""

    def play(request, cancellation):
        yield TextDelta("half")
        raise error

    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    worker.model = Plays(play)
    asked = worker.answer()

    assert state(worker, asked) == ("interrupted", "error", "interrupted", "half")


def test_an_exception_of_a_model_is_logged_once_and_kills_no_thread(worker, caplog):
    worker.provider.enqueue("half", RuntimeError("canary 7f3a"))

    with caplog.at_level(logging.ERROR):
        asked = worker.answer()
        wait_for(lambda: not worker.runtime.running())

    assert state(worker, asked)[2] == "internal"
    assert caplog.text.count("RuntimeError: (what it says is logged at level DEBUG only)") == 1


@pytest.mark.parametrize("length", [99, 100, 101, 5_000])
def test_an_answer_has_a_longest_length(migrated_sqlite_url, make_worker, length):
    worker = make_worker(migrated_sqlite_url, max_answer_chars=100)
    worker.provider.enqueue("x" * 40, "x" * (length - 40))
    asked = worker.answer()

    if length > 100:
        assert state(worker, asked) == ("error", "error", "limit", "x" * 100)
    else:
        assert state(worker, asked) == ("completed", "completed", None, "x" * length)


@pytest.mark.every_database
def test_text_that_no_database_holds_is_cleaned_whoever_made_it(worker):
    """A NUL in one answer would stop the journal for all the others on PostgreSQL."""

    worker.provider.enqueue(
        "nul \0 lone \ud800 pair \ud83c",
        "\udf0d end",
        ReasoningDelta("\0"),
        Finished("stop", "m\0"),
    )
    asked = worker.answer()

    assert state(worker, asked)[1:] == ("completed", None, "nul � lone � pair 🌍 end")
    assert worker.message(asked).reasoning == "�"


def test_the_model_is_given_the_conversation_so_far(worker):
    worker.provider.enqueue("Because.")
    first = worker.answer("Why?")
    worker.provider.enqueue(ProviderError("timeout"))
    worker.answer("And?", conversation_id=first.conversation_id)
    worker.answer("Well?", conversation_id=first.conversation_id)

    assert [(m.role, m.content) for m in worker.provider.requests[-1].messages] == [
        ("user", "Why?"),
        ("assistant", "Because."),
        ("user", "And?"),
        ("user", "Well?"),
    ]


def test_a_generation_is_run_once(worker):
    asked = worker.ask()
    threads = [
        threading.Thread(target=worker.runner.run, args=(asked.generation_id,)) for _ in range(8)
    ]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(20)

    assert len(worker.provider.requests) == 1
    assert worker.generation(asked).epoch == 1
    assert state(worker, asked)[1] == "completed"


def test_a_generation_that_is_gone_is_left_without_a_word(worker, caplog):
    worker.runner.run(4711)
    asked = worker.ask()
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)
    worker.runner.run(asked.generation_id)

    assert worker.provider.requests == [] and caplog.records == []


def test_a_conversation_deleted_right_after_the_claim_is_left_without_a_word(worker, caplog):
    asked = worker.ask()
    values = (asked.generation_id, worker.runtime.worker, 15.0, 1000)
    claimed, wanted = worker.database.write(runner._take_up, *values)
    running = worker.runtime.open(claimed)
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)
    worker.runner._run(running, wanted)
    worker.runtime.leave(running)

    assert caplog.records == [] and set(worker.rows().values()) == {0}


@pytest.mark.every_database
def test_deletion_in_mid_answer_closes_the_provider(worker):
    gate = Pause()
    worker.provider.enqueue("half", gate, "more")
    asked = worker.start()
    gate.wait_reached()
    live = worker.wait_running(asked).live
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)
    worker.runtime.release(asked.generation_id)
    wait_for(lambda: not worker.runtime.running())
    wait_for(lambda: live.end == End("gone"))

    assert set(worker.rows().values()) == {0}


def test_storage_that_is_given_up_ends_the_answer_as_such(worker, monkeypatch, caplog):
    """A provider that was closed for it says Cancelled, which is no person's stop."""

    from tests.test_generation_journal import Away

    monkeypatch.setattr(journal, "GIVE_UP_SECONDS", 0.1)
    gate = Pause()
    worker.provider.enqueue("shown ", gate, "never shown", Pause())

    with caplog.at_level(logging.CRITICAL):
        asked = worker.start()
        gate.wait_reached()
        worker.wait_running(asked).stream.flush()
        Away(monkeypatch)
        gate.release()
        worker.wait_end(asked)

    assert state(worker, asked) == ("error", "error", "storage", "shown ")


def test_a_generation_whose_claim_failed_is_taken_up_by_the_background_work(
    migrated_sqlite_url, make_worker
):
    worker = make_worker(migrated_sqlite_url, sweep_seconds=0.1)
    asked = worker.ask()  # nobody starts it: the answer to its commit was lost
    worker.runtime.upkeep.start()

    assert worker.wait_end(asked).status == "completed"


def test_a_run_without_the_database_leaves_it_queued(worker, monkeypatch, caplog):
    asked = worker.ask()

    def fail(*arguments):
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr("flask_chatstream.generation.runner.claim", fail)

        with pytest.raises(StorageUnavailable):
            worker.runner.run(asked.generation_id)

    assert worker.generation(asked).status == "queued"
    worker.runner.run(asked.generation_id)
    assert worker.generation(asked).status == "completed"


def test_nothing_is_kept_of_an_answer_that_is_over(worker):
    import weakref

    gate = Pause()
    worker.provider.enqueue("text", gate)
    asked = worker.start()
    gate.wait_reached()
    live = weakref.ref(worker.wait_running(asked).live)
    gate.release()
    worker.wait_end(asked)
    wait_for(lambda: not worker.runtime.running())

    def is_gone():
        gc.collect()

        return live() is None

    wait_for(is_gone)


def test_mariadb_answers_fails_and_stops(migrated_mariadb_url, make_worker):
    worker = make_worker(migrated_mariadb_url)
    worker.provider.enqueue("Grüße 🌍", Usage(3, 4), Finished("stop"))
    asked = worker.answer("Ünï?")
    assert state(worker, asked) == ("completed", "completed", None, "Grüße 🌍")
    worker.provider.enqueue("half", ProviderError("timeout"))
    failed = worker.answer("Again?", conversation_id=asked.conversation_id)
    assert state(worker, failed) == ("error", "error", "timeout", "half")
    gate = Pause()
    worker.provider.enqueue("stopped ", gate)
    stopped = worker.start("And?", conversation_id=asked.conversation_id)
    gate.wait_reached()
    worker.wait_running(stopped).stream.flush()
    assert worker.cancel(stopped).won
    assert state(worker, stopped) == ("cancelled", "cancelled", None, "stopped ")
    check_counters(worker, asked)
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)
    assert set(worker.rows().values()) == {0}


@pytest.mark.every_database
@pytest.mark.parametrize("when", ["middle", "last"])
def test_text_that_was_stored_at_the_second_attempt_is_folded_too(worker, monkeypatch, when):
    """The writer knows the row ids of all groups but those; the end took its ids for all."""

    from tests.test_generation_journal import Away

    gates = [Pause() for _ in range(3)]
    rest = [gates[2], "five"] if when == "middle" else []
    worker.provider.enqueue("one ", gates[0], "two ", gates[1], "three ", *rest)
    asked = worker.start()
    gates[0].wait_reached()
    stream = worker.wait_running(asked).stream
    stream.flush()
    away = Away(monkeypatch)
    gates[0].release()
    wait_for(lambda: worker.runtime.journal._failing_since)
    away.is_away = False
    gates[1].wait_reached()
    stream.flush()
    gates[1].release()

    if rest:
        gates[2].wait_reached()
        stream.flush()
        gates[2].release()

    expected = "one two three " + "five" * bool(rest)
    assert worker.wait_end(asked).status == "completed"
    assert state(worker, asked) == ("completed", "completed", None, expected)


@pytest.mark.every_database
def test_an_answer_whose_last_text_was_stored_at_the_second_attempt_is_whole(worker, monkeypatch):
    from tests.test_generation_journal import Away

    gate = Pause()
    worker.provider.enqueue("one ", gate, "two")
    asked = worker.start()
    gate.wait_reached()
    worker.wait_running(asked).stream.flush()
    away = Away(monkeypatch)
    gate.release()
    wait_for(lambda: worker.runtime.journal._failing_since)
    away.is_away = False
    worker.wait_end(asked)

    assert state(worker, asked) == ("completed", "completed", None, "one two")


@pytest.mark.every_database
@pytest.mark.parametrize("outcome", ["completed", "error"])
def test_an_end_whose_commit_was_not_answered_is_told_once(worker, monkeypatch, outcome):
    write, lost = worker.database.write, []

    def unanswered(job, *arguments, **options):
        result = write(job, *arguments, **options)

        if job.__name__ == "end" and not lost:
            lost.append(result)
            raise StorageUnavailable("The connection was lost.")

        return result

    monkeypatch.setattr(worker.database, "write", unanswered)
    pieces = ["text"] if outcome == "completed" else ["text", ProviderError("overloaded")]
    worker.provider.enqueue(*pieces)
    asked = worker.answer()
    wait_for(lambda: worker.ends)

    assert [end.status for end in worker.ends] == [outcome]
    assert worker.generation(asked).status == outcome
    assert lost
