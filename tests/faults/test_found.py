"""What the killing found, each by its interleaving and without the luck that it took."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Connection

from flask_chatstream.following import Displays, Live, Topic
from flask_chatstream.following.display import Mark
from flask_chatstream.generation.stream import Stream
from flask_chatstream.lifecycle.claims import claim
from flask_chatstream.sse import Decoder
from flask_chatstream.views.api.follower import Follower
from flask_chatstream.views.api.stream import Source, open_frames
from tests.workers import Worker

pytest_plugins = ["tests.engine_fixtures"]

ID = "0" * 32
WORDS = "the last words"


def make_live() -> Live:
    return Live(1, ID, ID, 0, Topic(ID))


class OpenDoor:
    """Of a stream that nobody closes."""

    def __init__(self, topic: Topic):
        self.watch = topic

    def is_open(self) -> bool:
        return True


class MarkedLive(Live):
    """A live that says when somebody begins to wait for its next change."""

    def __init__(self, *values: Any):
        super().__init__(*values)
        self.marked = threading.Event()

    def mark(self) -> threading.Event:
        change = super().mark()
        self.marked.set()

        return change


class Reader:
    """A task of the writer's round in front of the journal's: when the round has committed, and
    before the journal tells, somebody who has read the database does."""

    def __init__(self, live: MarkedLive):
        self.live = live
        self.appended = threading.Event()

    def prepare(self) -> int:
        self.appended.wait(5)

        return 1

    def execute(self, connection: Connection) -> None:
        pass

    def publish(self, error: Exception | None) -> None:
        self.live.marked.clear()
        self.live.publish(0, WORDS)
        self.live.marked.wait(5)


def test_last_words_that_a_reader_told_first_do_not_hold_up_the_end(
    migrated_sqlite_url: str, make_worker: Callable[..., Worker]
) -> None:
    worker = make_worker(migrated_sqlite_url)
    generation_id = worker.ask().generation_id
    assert generation_id is not None
    claimed = worker.database.write(claim, generation_id, worker.runtime.worker, 15.0)
    assert claimed is not None
    live = MarkedLive(generation_id, claimed.message_id, claimed.conversation_id, 0, Topic(ID))
    stream = Stream(worker.runtime.journal.append, live, claimed.epoch, lambda: None)
    reader = Reader(live)

    worker.database.writer.submit(reader)
    stream.append(WORDS)
    flush = threading.Thread(target=stream.flush, daemon=True)
    flush.start()
    assert live.marked.wait(5)
    reader.appended.set()
    flush.join(5)

    assert not flush.is_alive()


def test_reset_is_followed_by_what_came_while_it_was_sent() -> None:
    live = make_live()
    live.publish(0, "before ")
    opening, position = open_frames(Source(live, "", 0, is_reset=True))
    frames = Follower(cast(Any, OpenDoor(live.topic)), live, position).frames(opening)
    sent = next(frames)
    live.publish(7, "while ")
    sent += next(frames)
    events = [event.data for event in Decoder().feed(sent)]

    assert '"content":"before "' in events[0]
    assert '"offset":7,"delta":"while "' in events[1]


def test_page_from_a_worker_that_is_ahead_keeps_its_words() -> None:
    """The viewer comes back to a worker that has not rendered so far yet."""

    live, ahead = make_live(), make_live()
    displays = Displays(frozenset())
    behind, further = displays.get(live, ""), displays.get(ahead, "")
    live.publish(0, "One two")
    behind.refresh()
    ahead.publish(0, "One two three.\n\nFour five")
    further.refresh()
    shown = further.since(Mark(position=-1))
    live.publish(0, "One two three.\n\nFour five")

    change = behind.since(shown.mark)

    assert change.mark == shown.mark
    assert list(change.blocks) == []


def test_mark_beyond_the_text_gets_everything() -> None:
    live = make_live()
    live.publish(0, "One.\n\nTwo")
    display = Displays(frozenset()).get(live, "")

    change = display.since(Mark(7, 0, 999))

    assert [n for n, _, _ in change.blocks] == [0, 1]
