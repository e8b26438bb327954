"""A live: positions, holes, repeats, and many hands at once."""

from __future__ import annotations

import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_chatstream.following import End, Live, Topic
from flask_chatstream.following import live as live_module
from flask_chatstream.following.live import PIECES

TEXT = "Zwölf Boxkämpfer 🥊 jagen Viktor\nquer über den großen Sylter Deich 𝔚. " * 3


def make_live(base_offset=0):
    return Live(1, "m", "c", base_offset, Topic("c"))


@settings(deadline=None)
@given(
    base=st.integers(0, 50),
    cuts=st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, len(TEXT)))),
)
def test_any_pieces_in_any_order_give_a_prefix_and_never_a_hole(base, cuts):
    live = make_live(base)

    for cut in cuts:
        begin, end = sorted(cut)
        live.publish(base + begin, TEXT[begin:end])
        known = live.read(0)
        assert TEXT.startswith(known)
        assert live.length == base + len(known)

    live.publish(base, TEXT)
    assert live.read(base) == TEXT


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=3), max_size=3 * PIECES))
def test_every_position_reads_what_is_behind_it(pieces):
    live, text = make_live(7), "".join(pieces)

    for piece in pieces:
        assert live.publish(live.length, piece)

    for position in range(len(text) + 2):
        assert live.read(7 + position) == text[position:]

    assert live.read(0) == text


def test_many_small_pieces_are_joined():
    live = make_live()

    for n in range(10 * PIECES):
        live.publish(n, "x")

    assert len(live._pieces) < PIECES
    assert len(live._segments) == 10
    assert live.read(0) == "x" * 10 * PIECES


def test_what_is_known_or_beyond_a_hole_wakes_nobody():
    live = make_live()
    live.publish(0, "abc")
    mark = live.mark()

    assert not live.publish(0, "abc")
    assert not live.publish(1, "bc")
    assert not live.publish(4, "e")
    assert not live.publish(3, "")
    assert not mark.is_set()
    assert live.publish(2, "cd")
    assert mark.is_set()
    assert live.read(0) == "abcd"


def test_the_first_end_holds_and_nothing_comes_after_it():
    live = make_live()
    live.publish(0, "abc")
    live.finish(End("cancelled"))
    mark = live.mark()
    live.finish(End("completed"))
    live.publish(3, "late")

    assert live.end == End("cancelled")
    assert live.read(0) == "abc"
    assert not mark.is_set()


def test_a_change_beats_the_conversations_topic_too():
    live = make_live()

    for change in (
        lambda: live.publish(0, "a"),
        lambda: live.wake(),
        lambda: live.finish(End("completed")),
    ):
        marks = live.mark(), live.topic.mark()
        change()
        assert all(mark.is_set() for mark in marks)


@pytest.fixture
def restless():
    """Threads are switched at random between any two lines of the module."""

    chance = random.Random(7)

    def trace(frame, event, argument):
        if frame.f_code.co_filename != live_module.__file__:
            return None

        if chance.random() < 0.02:
            time.sleep(0)

        return trace

    threading.settrace(trace)

    yield

    threading.settrace(None)


def test_text_published_from_many_sides_at_once_is_never_doubled(restless):
    """The committer, the poller, viewers who have read the database, and an end all publish."""

    for _ in range(5):
        live, wrong = make_live(), []
        text = "".join(f"{n:04}" for n in range(200))
        ready = threading.Barrier(5)

        def grow(step, live=live, text=text, ready=ready):
            ready.wait(10)

            for end in range(step, len(text) + 1, step):
                live.publish(end - step, text[end - step : end])
                live.publish(0, text[:end])

        def look(live=live, text=text, ready=ready, wrong=wrong):
            ready.wait(10)
            position = 0

            while position < len(text) and not wrong:
                known = live.read(position)
                if text[position : position + len(known)] != known:
                    wrong.append((position, known))
                position += len(known)

        threads = [threading.Thread(target=grow, args=(step,)) for step in (1, 2, 4)]
        threads += [threading.Thread(target=look) for _ in range(2)]

        for thread in threads:
            thread.start()

        for thread in threads:
            thread.join(20)

        assert wrong == []
        assert live.read(0) == text
