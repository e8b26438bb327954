"""The provider that says what a test tells it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from flask_chatstream.errors import ProviderError
from flask_chatstream.events import Event, Finished, TextDelta, ToolCall, Usage
from flask_chatstream.providers import Cancellation, Cancelled, ChatMessage, ChatRequest
from flask_chatstream.providers.scripted import Pause, ScriptedProvider, Wait

REQUEST = ChatRequest((ChatMessage("user", "hi"),), "m")


def play(provider: ScriptedProvider, cancellation: Cancellation | None = None) -> list[Event]:
    return list(provider.stream(REQUEST, cancellation or Cancellation()))


def test_answers_come_in_their_order_and_then_the_default() -> None:
    provider = ScriptedProvider()
    provider.enqueue("a", "b")
    provider.enqueue("", Usage(1, 2), ToolCall("1", "f", "{}"), Finished("length"))

    assert play(provider) == [TextDelta("a"), TextDelta("b"), Finished("stop", "m")]
    assert play(provider) == [Usage(1, 2), ToolCall("1", "f", "{}"), Finished("length")]
    assert play(provider) == [TextDelta("A scripted answer."), Finished("stop", "m")]
    assert provider.requests == [REQUEST] * 3


def test_an_exception_is_raised_where_it_stands() -> None:
    provider, got = ScriptedProvider(), []
    provider.enqueue("half", ProviderError("overloaded"))

    with pytest.raises(ProviderError) as failure:
        for event in provider.stream(REQUEST, Cancellation()):
            got.append(event)

    assert (got, failure.value.code) == ([TextDelta("half")], "overloaded")


def test_waits_take_their_time_and_end_with_a_stop() -> None:
    provider = ScriptedProvider()
    provider.enqueue(0.05, Wait(0.05), "late")
    started = time.monotonic()
    assert play(provider)[0] == TextDelta("late")
    assert 0.1 <= time.monotonic() - started < 5

    provider.enqueue(60)
    cancellation = Cancellation()
    threading.Timer(0.05, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        play(provider, cancellation)


def test_a_pause_holds_every_answer_until_its_release() -> None:
    provider, gate = ScriptedProvider(), Pause()
    got: list[list[Event]] = []
    for _ in range(2):
        provider.enqueue(gate, "after")

    threads = [threading.Thread(target=lambda: got.append(play(provider))) for _ in range(2)]
    for thread in threads:
        thread.start()
    gate.wait_reached()
    assert got == []

    gate.release()
    for thread in threads:
        thread.join(5)

    assert got == [[TextDelta("after"), Finished("stop", "m")]] * 2
    provider.enqueue(gate, "open")
    assert play(provider)[0] == TextDelta("open")


def test_a_stop_opens_no_gate_for_others() -> None:
    provider, gate, cancellation = ScriptedProvider(), Pause(), Cancellation()
    outcomes: list[Any] = []
    provider.enqueue(gate, "first")
    provider.enqueue(gate, "second")

    def run(cancellation: Cancellation) -> None:
        try:
            outcomes.append(play(provider, cancellation)[0])
        except Cancelled:
            outcomes.append("cancelled")

    stopped = threading.Thread(target=run, args=(cancellation,))
    stopped.start()
    gate.wait_reached()
    waiting = threading.Thread(target=run, args=(Cancellation(),))
    waiting.start()

    cancellation.cancel()
    stopped.join(5)
    assert outcomes == ["cancelled"]

    gate.release()
    waiting.join(5)
    assert outcomes == ["cancelled", TextDelta("second")]


def test_a_pause_that_nobody_reaches() -> None:
    with pytest.raises(TimeoutError):
        Pause().wait_reached(timeout=0.01)


def test_what_cannot_stand_in_an_answer() -> None:
    with pytest.raises(TypeError):
        ScriptedProvider().enqueue(object())  # type: ignore[arg-type]


def test_many_threads_share_it() -> None:
    provider = ScriptedProvider()
    for n in range(100):
        provider.enqueue(str(n))
    got: list[str] = []

    def run() -> None:
        for _ in range(25):
            got.extend(e.text for e in play(provider) if isinstance(e, TextDelta))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(got, key=int) == [str(n) for n in range(100)]
    assert len(provider.requests) == 100
