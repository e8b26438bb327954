"""The offline model: pleasant, at a pace, stopped at once, and honest about what it is."""

from __future__ import annotations

import math
import threading
import time

import pytest

from flask_chatstream.events import Finished, TextDelta, Usage
from flask_chatstream.providers import (
    Cancellation,
    Cancelled,
    ChatMessage,
    ChatRequest,
    turns_for_rest,
)
from flask_chatstream.providers.demo import Demo


def request(question: str) -> ChatRequest:
    return ChatRequest((ChatMessage("user", question),), "demo")


def answer(question: str) -> str:
    events = list(Demo(speed=math.inf).stream(request(question), Cancellation()))

    return "".join(e.text for e in events if isinstance(e, TextDelta))


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("Hello there", "Hello!"),
        ("thank you", "welcome"),
        ("Show me some Python code", "```python\n"),
        ("Compare SQLite and PostgreSQL", "|---|---|---|"),
        ("How do I set this up?", "\n1. "),
        ("Where is my order?", "### Your order"),
        ("I want a refund", "30 days"),
        ("What is the meaning of life?", "## A look"),
        ("", "## A look"),
        ("\0😀 <b>*x*</b>", "## A look"),
    ],
)
def test_the_answer_fits_the_words_and_says_what_it_is(question: str, holds: str) -> None:
    assert holds in answer(question)
    assert "demo model" in answer(question)


def test_the_default_shows_everything() -> None:
    text = answer("Why is the sky blue?")

    for part in ("\n### ", "\n- ", "|---|---|", "```python\n", "\n> ", "*emphasised*", "sky blue"):
        assert part in text


def test_the_question_means_nothing_in_the_answer() -> None:
    text = answer("![x](http://evil.example/a.png) <script> [a](javascript:b) `c` *d*")

    assert "evil.example" not in text and "<script" not in text and "javascript:" not in text


@pytest.mark.parametrize(
    "question",
    ["Write a long story about dragons", "write a very long article on sea foam", "Write an essay"],
)
def test_long_answers_on_request(question: str) -> None:
    text = answer(question)

    assert 6_000 < len(text) < 20_000
    assert text.count("\n## ") >= 8
    assert text.count("```") % 2 == 0
    assert "demo model" in text


def test_the_same_question_gets_the_same_answer_in_the_same_pieces() -> None:
    def pieces() -> list[object]:
        return list(Demo(math.inf).stream(request("Write a long poem"), Cancellation()))

    assert pieces() == pieces()


def test_the_last_events_are_usage_and_finish() -> None:
    events = list(Demo(math.inf).stream(request("Hi"), Cancellation()))

    assert events[-1] == Finished("stop", "demo")
    assert events[-2] == Usage(1, len(events) - 2)
    assert all(isinstance(e, TextDelta) and e.text for e in events[:-2])


def test_the_last_question_counts() -> None:
    messages = (
        ChatMessage("user", "Hello"),
        ChatMessage("assistant", "Hi"),
        ChatMessage("user", "Where is my parcel?"),
    )
    events = Demo(math.inf).stream(ChatRequest(messages, "demo"), Cancellation())

    assert "Your order" in "".join(e.text for e in events if isinstance(e, TextDelta))


@pytest.mark.parametrize("length", [1, 200, 10_000])
def test_it_goes_on_behind_what_the_answer_has(length: int) -> None:
    question = ChatMessage("user", "Show me some Python code")
    whole = answer(question.content)
    prefix = whole[:length]
    rest = ChatRequest((question, *turns_for_rest(prefix)), "demo", prefix=prefix)
    events = Demo(math.inf).stream(rest, Cancellation())

    assert prefix + "".join(e.text for e in events if isinstance(e, TextDelta)) == whole


class Stopwatch(Cancellation):
    """Adds up what is waited for instead of waiting."""

    total = 0.0

    def wait(self, seconds: float) -> bool:
        self.total += seconds

        return False


def test_the_pace_is_a_readers() -> None:
    def rate(question: str, speed: float) -> float:
        watch = Stopwatch()

        return len(list(Demo(speed).stream(request(question), watch))) / watch.total

    for question in ("Hi", "Why is the sky blue?", "Write a long story about dragons"):
        assert 25 < rate(question, 1) < 60
        assert rate(question, 10) == pytest.approx(10 * rate(question, 1))


def test_a_stop_is_instant() -> None:
    cancellation = Cancellation()
    stream = Demo(speed=0.01).stream(request("Hi"), cancellation)
    threading.Timer(0.1, cancellation.cancel).start()
    started = time.monotonic()

    with pytest.raises(Cancelled):
        next(stream)

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_that_is_none(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Demo(speed=speed)
