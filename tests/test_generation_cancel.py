"""Stopping: recorded before the reply, once, whatever the answer is doing (D7)."""

from __future__ import annotations

import threading

import pytest

from flask_chatstream.conversations import Turn
from flask_chatstream.errors import NotFound, StorageUnavailable
from flask_chatstream.events import Finished, TextDelta, Usage
from flask_chatstream.following import End
from flask_chatstream.generation import upkeep
from flask_chatstream.lifecycle.ends import Outcome, end
from flask_chatstream.providers.scripted import Pause
from tests.waiting import wait_for
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database
#: How often a stop meets the end of its answer, per database.
ROUNDS = 100


def begin(worker, *items):
    """An answer that has said its items and is silent now."""

    gate = Pause()
    worker.provider.enqueue(*items, gate, "never said")
    asked = worker.start()
    gate.wait_reached()
    running = worker.wait_running(asked)
    running.stream.flush()

    return asked, running


def check_stopped(worker, asked, content):
    message, generation = worker.message(asked), worker.generation(asked)
    assert (generation.status, message.status, message.error_code) == (
        "cancelled",
        "cancelled",
        None,
    )
    assert message.content == content == worker.text(asked)
    check_counters(worker, asked)


def test_a_stop_before_the_claim(worker):
    asked = worker.ask()
    ended = worker.cancel(asked)
    assert (ended.won, ended.status) == (True, "cancelled")
    worker.runner.run(asked.generation_id)

    assert worker.provider.requests == []
    check_stopped(worker, asked, "")


@pytest.mark.parametrize("items", [(), ("Half an ", "answer")])
def test_a_stop_while_the_provider_is_silent(worker, items):
    asked, running = begin(worker, *items)
    ended = worker.cancel(asked)

    assert (ended.won, ended.status, ended.text) == (True, "cancelled", "".join(items))
    check_stopped(worker, asked, "".join(items))
    assert running.cancellation.cancelled
    assert running.live.end == End("cancelled")
    assert running.live.read(0) == "".join(items)
    wait_for(lambda: not worker.runtime.running())
    assert len(worker.ends) == 1


def test_a_stop_in_mid_stream_keeps_what_was_shown(worker):
    def talk(request, cancellation):
        n = 0

        while not cancellation.cancelled:
            yield TextDelta(f"<{n}>")
            n += 1

        cancellation.raise_if_cancelled()

    class Talks:
        name = "talks"
        stream = staticmethod(talk)

    worker.model = Talks()
    asked = worker.start()
    live = worker.wait_running(asked).live
    wait_for(lambda: live.length > 50)
    shown = live.read(0)
    worker.cancel(asked)
    content = worker.message(asked).content

    assert content.startswith(shown)
    assert "".join(f"<{n}>" for n in range(len(content))).startswith(content)
    check_stopped(worker, asked, content)
    wait_for(lambda: not worker.runtime.running())
    check_stopped(worker, asked, content)
    assert live.read(0) == content


def test_a_second_stop_is_told_the_state_and_changes_nothing(worker):
    asked, _ = begin(worker, "half")
    worker.cancel(asked)
    version = worker.conversation(asked).version
    again = worker.cancel(asked)

    assert (again.won, again.status) == (False, "cancelled")
    assert worker.conversation(asked).version == version
    assert len(worker.ends) == 1


def test_a_stop_after_the_end_is_told_the_end(worker):
    asked = worker.answer()
    ended = worker.cancel(asked)

    assert (ended.won, ended.status, ended.error_code) == (False, "completed", None)
    assert worker.message(asked).status == "completed"


@pytest.mark.parametrize("owner", ["bob", "Ann", "ann ", ""])
def test_only_the_owner_can_stop(worker, owner):
    asked, running = begin(worker, "half")

    with pytest.raises(NotFound):
        worker.runtime.cancel(owner, "chatstream", asked.message_id)

    with pytest.raises(NotFound):
        worker.runtime.cancel("ann", "support", asked.message_id)

    with pytest.raises(NotFound):
        worker.runtime.cancel("ann", "chatstream", "0" * 32)

    assert running.live.end is None
    worker.cancel(asked)


def test_mariadb_tells_owners_apart_by_case(migrated_mariadb_url, make_worker):
    worker = make_worker(migrated_mariadb_url)
    asked, _ = begin(worker, "half")

    with pytest.raises(NotFound):
        worker.runtime.cancel("ANN", "chatstream", asked.message_id)

    worker.cancel(asked)
    check_stopped(worker, asked, "half")


def test_a_message_that_nobody_writes_tells_its_own_state(worker):
    asked = worker.answer()
    ended = worker.runtime.cancel("ann", "chatstream", asked.user_message_id)

    assert (ended.won, ended.status) == (False, "completed")


def test_two_stops_at_once_make_one_end(worker, make_worker):
    """F43, on two workers."""

    other = make_worker(worker.url)

    for _ in range(10):
        asked, _ = begin(worker, "half")
        ready, ended = threading.Barrier(2), []

        def stop(by, asked=asked, ready=ready, ended=ended):
            ready.wait(10)
            ended.append(by.cancel(asked))

        threads = [threading.Thread(target=stop, args=(by,)) for by in (worker, other)]

        for thread in threads:
            thread.start()

        for thread in threads:
            thread.join(20)

        assert sorted(e.won for e in ended) == [False, True]
        assert {e.status for e in ended} == {"cancelled"}
        check_stopped(worker, asked, "half")

    assert len(worker.ends) + len(other.ends) == 10


def test_a_stop_on_another_worker_closes_the_provider(worker, make_worker, monkeypatch):
    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.02)
    other = make_worker(worker.url)
    asked, running = begin(worker, "half")
    other.cancel(asked)
    check_stopped(other, asked, "half")
    wait_for(lambda: running.cancellation.cancelled, timeout=2)
    wait_for(lambda: running.live.end == End("cancelled"))
    assert running.live.read(0) == "half"


def test_a_stop_that_cannot_be_recorded_says_so_and_stops_nothing(worker, monkeypatch):
    """F44."""

    asked, running = begin(worker, "half")

    def fail(*arguments, **options):
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr("flask_chatstream.generation.runtime.end_message", fail)

        with pytest.raises(StorageUnavailable):
            worker.cancel(asked)

    assert running.live.end is None and not running.cancellation.cancelled
    worker.cancel(asked)
    check_stopped(worker, asked, "half")


def test_a_stop_at_the_moment_of_completion_makes_one_end(worker):
    """F42. Either may win; there is one end, one text, and everybody is told the same."""

    won = set()

    for n in range(ROUNDS):
        gate, text = Pause(), f"answer {n}"
        worker.provider.enqueue(text, gate, Usage(1, 2), Finished("stop"))
        asked = worker.start(turns=(Turn("user", f"{n}?"),))
        gate.wait_reached()
        live = worker.wait_running(asked).live
        ready, ended = threading.Barrier(2), []

        def stop(asked=asked, ready=ready, ended=ended):
            ready.wait(10)
            ended.append(worker.cancel(asked))

        thread = threading.Thread(target=stop)
        thread.start()
        ready.wait(10)
        gate.release()
        thread.join(20)
        wait_for(lambda live=live: live.end)
        wait_for(lambda: not worker.runtime.running(), interval=0.001)
        message, generation = worker.message(asked), worker.generation(asked)

        assert message.status == generation.status == live.end.status == ended[0].status
        assert message.status in ("completed", "cancelled")
        assert ended[0].won == (message.status == "cancelled")
        assert message.content == live.read(0)
        assert message.content in (text, "") if ended[0].won else message.content == text
        assert worker.conversation(asked).version == 2
        check_counters(worker, asked)
        won.add(message.status)

    wait_for(lambda: len(worker.ends) == ROUNDS)
    assert len({e.generation_id for e in worker.ends}) == ROUNDS


def test_two_ends_of_different_kinds_at_once_have_one_winner(worker, make_worker):
    other = make_worker(worker.url)
    kinds = [Outcome("completed"), Outcome("error", error_code="timeout"), Outcome("cancelled")]

    for _ in range(15):
        asked = worker.ask()
        ready, ended = threading.Barrier(len(kinds)), []

        def finish(by, kind, asked=asked, ready=ready, ended=ended):
            ready.wait(10)
            ended.append((kind.status, by.database.write(end, asked.generation_id, kind)))

        threads = [
            threading.Thread(target=finish, args=(by, kind))
            for by, kind in zip((worker, other, worker), kinds, strict=True)
        ]

        for thread in threads:
            thread.start()

        for thread in threads:
            thread.join(20)

        winners = [status for status, e in ended if e.won]
        assert len(winners) == 1
        assert {e.status for _, e in ended} == set(winners)
        assert worker.message(asked).status == winners[0]
        check_counters(worker, asked)


def test_an_end_of_another_epoch_loses(worker):
    asked, running = begin(worker, "half")
    epoch = running.claimed.epoch
    ended = worker.database.write(end, asked.generation_id, Outcome("completed"), epoch=epoch + 1)

    assert (ended.won, ended.status) == (False, "running")
    assert worker.message(asked).status == "generating"
    worker.cancel(asked)
    check_stopped(worker, asked, "half")
