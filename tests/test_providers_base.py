"""Stopping an answer from elsewhere."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from flask_chatstream.providers import (
    Cancellation,
    Cancelled,
    ChatMessage,
    ChatRequest,
    turns_for_rest,
)


def test_nothing_is_cancelled_at_first() -> None:
    cancellation = Cancellation()
    cancellation.raise_if_cancelled()

    assert not cancellation.cancelled
    assert cancellation.wait(0) is False


def test_cancel_sets_the_flag_and_runs_each_closer_once() -> None:
    cancellation, ran = Cancellation(), []
    cancellation.on_cancel(lambda: ran.append((1, cancellation.cancelled)))
    cancellation.on_cancel(lambda: ran.append((2, cancellation.cancelled)))

    cancellation.cancel()
    cancellation.cancel()

    assert ran == [(1, True), (2, True)]
    with pytest.raises(Cancelled):
        cancellation.raise_if_cancelled()


def test_a_closer_that_comes_late_runs_at_once() -> None:
    cancellation, ran = Cancellation(), []
    cancellation.cancel()

    with cancellation.on_cancel(lambda: ran.append(1)):
        assert ran == [1]

    assert ran == [1]


def test_a_closer_that_was_taken_out_does_not_run() -> None:
    cancellation, ran = Cancellation(), []
    with cancellation.on_cancel(lambda: ran.append("with")):
        pass
    take_out = cancellation.on_cancel(lambda: ran.append("called"))
    take_out()
    take_out()

    cancellation.cancel()

    assert ran == []


def test_a_closer_that_fails_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    cancellation, ran = Cancellation(), []
    cancellation.on_cancel(lambda: 1 / 0)
    cancellation.on_cancel(lambda: ran.append(1))

    cancellation.cancel()

    assert ran == [1]
    assert "a closer failed" in caplog.text


def test_a_closer_may_take_itself_out() -> None:
    cancellation, ran = Cancellation(), [0]

    def closer() -> None:
        registration()
        ran[0] += 1

    registration = cancellation.on_cancel(closer)
    cancellation.cancel()

    assert ran == [1]


def test_taking_out_waits_for_a_closer_that_runs() -> None:
    """Else a descriptor could be closed and given to somebody else under the closer's hands."""

    cancellation, order = Cancellation(), []
    begun, go_on = threading.Event(), threading.Event()

    def closer() -> None:
        begun.set()
        go_on.wait(5)
        order.append("closer")

    registration = cancellation.on_cancel(closer)
    canceller = threading.Thread(target=cancellation.cancel)
    canceller.start()
    assert begun.wait(5)

    def take_out() -> None:
        registration()
        order.append("taken out")

    taker = threading.Thread(target=take_out)
    taker.start()
    go_on.set()
    canceller.join(5)
    taker.join(5)

    assert order == ["closer", "taken out"]


def test_many_threads_cancel_and_register_and_each_closer_runs_exactly_once() -> None:
    for _ in range(200):
        assert race() == list(range(12))


def race() -> list[int]:
    """Four threads register three closers each while two cancel; which closers ran."""

    cancellation, barrier = Cancellation(), threading.Barrier(6)
    ran: list[int] = []

    def register(first: int) -> None:
        barrier.wait()
        for n in range(first, first + 3):
            cancellation.on_cancel(partial(ran.append, n))

    def cancel() -> None:
        barrier.wait()
        cancellation.cancel()

    threads = [threading.Thread(target=register, args=(n,)) for n in (0, 3, 6, 9)]
    threads += [threading.Thread(target=cancel) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    return sorted(ran)


def test_spent_registrations_do_not_pile_up() -> None:
    cancellation = Cancellation()
    for _ in range(1000):
        with cancellation.on_cancel(lambda: None):
            pass

    assert len(cancellation._registrations) <= 1


def test_wait_ends_with_cancel() -> None:
    cancellation = Cancellation()
    threading.Timer(0.05, cancellation.cancel).start()
    started = time.monotonic()

    assert cancellation.wait(10) is True
    assert time.monotonic() - started < 2


def test_a_request_for_the_rest_ends_with_a_users_turn() -> None:
    question = ChatMessage("user", "Why?")
    plain = ChatRequest((question, *turns_for_rest("")), "m")
    rest = ChatRequest((question, *turns_for_rest("Beca")), "m", prefix="Beca")

    assert plain.messages == plain.history == rest.history == (question,)
    assert [m.role for m in rest.messages] == ["user", "assistant", "user"]
    assert rest.messages[1].content == "Beca"
