"""Joining an answer: at no moment of its life may a viewer be left with a hole in the text."""

from __future__ import annotations

import threading
from functools import partial
from itertools import combinations_with_replacement

import pytest
from sqlalchemy import event

from flask_chatstream.conversations import create_conversation, delete_conversation, read_leaf
from flask_chatstream.errors import NotFound
from flask_chatstream.following import End
from flask_chatstream.generation import join, list_generations, remove
from flask_chatstream.lifecycle.claims import claim
from flask_chatstream.lifecycle.ends import Outcome
from flask_chatstream.models import Generation
from tests.test_generation_journal import open_running

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


@pytest.fixture(params=["here", "elsewhere"])
def viewer(request, worker, make_worker):
    """The process that shows: the one that writes, whose committer feeds, or another."""

    return worker if request.param == "here" else make_worker(worker.url)


def leaf_of(asked):
    return partial(
        read_leaf, owner="ann", mount="chatstream", conversation_id=asked.conversation_id
    )


class Answer:
    """An answer's life in steps; after each group the viewer's poller has its turn."""

    def __init__(self, worker, viewer):
        self._worker, self._viewer = worker, viewer
        # Of a queue: this process is not to claim it by itself.
        self.asked = worker.ask(worker=None, lease=None)
        self._running = None
        tick = viewer.runtime.poller.tick
        self._steps = [self._claim, self._group, tick, self._group, tick, self._end, tick]
        self._done = 0

    def go_on(self, until):
        for step in self._steps[self._done : until]:
            step()

        self._done = max(self._done, until)

    def _claim(self):
        values = (self.asked.generation_id, self._worker.runtime.worker, 3600.0)
        self._running = self._worker.runtime.open(self._worker.database.write(claim, *values))

    def _group(self):
        self._running.stream.append(f"<step {self._done}, {self._running.stream.count}>")
        self._running.stream.flush()

    def _end(self):
        self._worker.runtime.end(self._running, Outcome("completed"))
        self._worker.runtime.leave(self._running)


STEPS = 7
#: The steps in front of the end.
END = 5


def test_no_moment_of_an_answer_leaves_a_hole_in_a_join(worker, viewer):
    """A group and a poller's tick fell between a viewer's read and its join.

    Another answer is watched all the while, so that each tick goes on from the one before.
    """

    other, _ = open_running(worker)
    watched = join(viewer.runtime, other.conversation_id, leaf_of(other)).live

    for before, taken, read in combinations_with_replacement(range(STEPS + 1), 3):
        answer = Answer(worker, viewer)
        find_leaf = leaf_of(answer.asked)

        def look(session, answer=answer, taken=taken, read=read, find_leaf=find_leaf):
            answer.go_on(taken)
            branch = find_leaf(session)
            answer.go_on(read)

            return branch

        answer.go_on(before)
        joined = join(viewer.runtime, answer.asked.conversation_id, look)
        where = (before, taken, read)
        answer.go_on(END)

        if joined.live is not None and read <= END:
            # The end brings the whole text, so that a hole must be looked for before.
            assert joined.live.read(0) == worker.text(answer.asked), where

        answer.go_on(STEPS)
        content = worker.message(answer.asked).content

        if joined.live is None:
            assert joined.last.text == content, where
            assert joined.last.message.status == "completed", where
        else:
            assert content.startswith(joined.last.text), where
            assert joined.prefix + joined.live.read(0) == content, where
            assert joined.live.end == End("completed"), where

    assert watched.end is None


def test_a_join_asks_the_database_four_things_on_one_connection(worker):
    """What is written, the conversation, the journal, the message."""

    asked, running = open_running(worker)
    running.stream.append("so far")
    running.stream.flush()
    here = threading.get_ident()
    seen = []

    def note(what):
        return lambda *_: threading.get_ident() == here and seen.append(what)

    event.listen(worker.engine, "checkout", note("connection"))
    event.listen(worker.engine, "after_cursor_execute", note("statement"))
    joined = join(worker.runtime, asked.conversation_id, leaf_of(asked))

    assert joined.last.text == joined.live.read(0) == "so far"
    assert seen == ["connection", *["statement"] * 4]


def test_an_orphan_is_settled_and_read_again(worker, viewer):
    place, _, _ = worker.runtime.worker.rpartition(":")
    asked = worker.ask(worker=f"{place}:1", lease=3600.0)
    joined = join(viewer.runtime, asked.conversation_id, leaf_of(asked))

    assert joined.live is None
    assert (joined.last.message.status, joined.last.message.error_code) == ("error", "interrupted")


def test_an_answer_that_begins_after_the_join_is_joined_too(worker, viewer):
    asked = worker.answer()
    begun = []

    def look(session):
        if not begun:
            begun.append(open_running(worker, conversation_id=asked.conversation_id))
            begun[0][1].stream.append("more")
            begun[0][1].stream.flush()

        return leaf_of(asked)(session)

    joined = join(viewer.runtime, asked.conversation_id, look)
    assert joined.last.message.id == begun[0][0].message_id
    assert joined.live.read(0) == "more"


def test_a_message_without_its_generation_is_read_and_not_followed(worker, viewer):
    """Damaged rows must not keep a viewer for ever."""

    asked = worker.ask()
    reads = []

    def look(session):
        reads.append(1)

        return leaf_of(asked)(session)

    with worker.database.engine.begin() as connection:
        connection.execute(Generation.__table__.delete())

    joined = join(viewer.runtime, asked.conversation_id, look)
    assert (joined.live, joined.last.message.status) == (None, "generating")
    assert len(reads) == 3


def test_a_foreign_conversation_is_not_joined(worker, viewer):
    asked = worker.ask()
    read = partial(
        read_leaf, owner="bob", mount="chatstream", conversation_id=asked.conversation_id
    )

    with pytest.raises(NotFound):
        join(viewer.runtime, asked.conversation_id, read)


def test_a_conversation_without_an_answer_has_nothing_to_follow(worker):
    id = worker.database.write(create_conversation, "ann", "chatstream")
    read = partial(read_leaf, owner="ann", mount="chatstream", conversation_id=id)
    joined = join(worker.runtime, id, read)

    assert (joined.last, joined.live, joined.prefix) == (None, None, "")


def test_removing_stops_what_is_written_and_tells_its_viewers(worker, viewer):
    asked, running = open_running(worker)
    live = join(viewer.runtime, asked.conversation_id, leaf_of(asked)).live
    topic = worker.runtime.follow.topic(asked.conversation_id)
    seen = topic.changes
    remove(worker.runtime, "ann", "chatstream", asked.conversation_id)
    assert running.cancellation.cancelled
    assert topic.changes > seen
    worker.runtime.leave(running)
    viewer.runtime.poller.tick()

    assert live.end == End("gone")

    with pytest.raises(NotFound):
        remove(worker.runtime, "ann", "chatstream", asked.conversation_id)


def test_somebody_elses_conversation_is_not_removed(worker):
    asked = worker.answer()

    with pytest.raises(NotFound):
        remove(worker.runtime, "bob", "chatstream", asked.conversation_id)

    assert worker.conversation(asked).id == asked.conversation_id


def test_the_generation_of_a_message_is_its_last(worker):
    asked = worker.answer()

    with worker.database.read() as session:
        assert list_generations(session, asked.message_id) == [asked.generation_id]
        assert list_generations(session, asked.user_message_id) == []

    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)

    with worker.database.read() as session:
        assert list_generations(session, asked.message_id) == []
