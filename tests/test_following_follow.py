"""Following: two workers on one database, of which one writes and the other shows."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from flask_chatstream.conversations import delete_conversation, read_messages, rename
from flask_chatstream.following import End, Follow, Topic
from flask_chatstream.lifecycle import Claimed
from flask_chatstream.lifecycle.ends import Ended, Outcome, end
from flask_chatstream.providers.scripted import Pause
from tests.test_generation_journal import open_running
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


@pytest.fixture
def other(worker, make_worker):
    """A second process on the same database."""

    return make_worker(worker.url)


def claimed(id=1, base_offset=0):
    return Claimed(id, 1, "c" * 32, "m" * 32, base_offset, "chatstream", None)


def place(asked):
    return asked.generation_id, asked.message_id, asked.conversation_id, asked.base_offset


def join(by, asked):
    """What a viewer does: subscribe, read the database, and tell the live what was read."""

    live = by.runtime.follow.join(*place(asked))
    by.runtime.poller.ensure()

    with by.database.read() as session:
        (reading,) = read_messages(session, [asked.message_id])

    live.publish(0, reading.text)

    return live


def test_one_topic_for_all_who_hold_it():
    follow = Follow()
    topic = follow.topic("c")

    assert follow.topic("c") is topic
    reference = weakref.ref(topic)
    del topic
    gc.collect()
    assert reference() is None


def test_a_topic_counts_its_viewers():
    topic = Follow().topic("c")

    for step in (topic.enter, topic.enter, topic.leave, topic.enter, topic.leave, topic.leave):
        step()

    assert (topic.viewers, topic.most_viewers) == (0, 2)


def test_only_conversations_that_are_looked_at_are_polled():
    follow = Follow()
    topics = [follow.topic(name) for name in "ab"]
    topics[0].enter()

    assert follow.topics() == topics[:1]


def test_a_change_is_told_to_those_who_look():
    follow = Follow()
    topic = follow.topic("c")
    mark = topic.mark()
    follow.changed("c")
    follow.changed("nobody looks at this one")

    assert mark.is_set() and topic.changes == 1


def test_what_was_joined_from_afar_is_the_same_once_it_runs_here():
    follow = Follow()
    remote = follow.join(1, "m" * 32, "c" * 32, 0)
    assert follow.remote() == [remote]
    local = follow.open(claimed())

    assert local is remote is follow.join(1, "m" * 32, "c" * 32, 0)
    assert follow.remote() == []


def test_a_live_that_was_left_without_an_end_goes_to_the_poller():
    follow = Follow()
    live = follow.open(claimed())
    follow.close(live)
    assert follow.remote() == [live]

    ended = follow.open(claimed(2))
    ended.finish(End("completed"))
    follow.close(ended)
    assert follow.remote() == [live]


def test_an_end_is_told_after_its_last_text():
    follow = Follow()
    live = follow.open(claimed(base_offset=3))
    live.publish(3, "de")
    ended = Ended(True, 1, "c" * 32, "m" * 32, "cancelled", None, 3, "defg")
    follow.ended(ended)

    assert (live.read(0), live.end) == ("defg", End("cancelled"))


def test_an_end_tells_whose_conversation_it_is_until_something_else_changes(worker):
    asked, _ = open_running(worker)
    topic = worker.runtime.follow.topic(asked.conversation_id)
    topic.read(worker.conversation(asked).version)
    assert topic.place is None

    worker.runtime.tell(worker.database.write(end, asked.generation_id, Outcome("cancelled")))
    ended_at = worker.conversation(asked).version
    assert (topic.version, topic.place) == (ended_at, ("ann", "chatstream"))

    topic.change(ended_at)
    assert topic.place == ("ann", "chatstream")

    worker.runtime.follow.changed(asked.conversation_id)
    assert topic.place is None


def test_an_end_that_lost_tells_no_state():
    follow = Follow()
    live = follow.open(claimed())
    topic = live.topic
    follow.ended(Ended(False, 1, "c" * 32, "m" * 32, "completed", None))

    assert live.end is None and topic.changes == 1


def test_topics_come_and_go_while_they_are_listed():
    """In threads, a dictionary that grew while it was looped over killed the poller."""

    follow, over, errors = Follow(), threading.Event(), []

    def look():
        while not over.is_set():
            try:
                follow.topics()
                follow.remote()
                time.sleep(0)
            except RuntimeError as error:
                errors.append(error)
                return

    thread = threading.Thread(target=look)
    thread.start()
    kept = []

    for n in range(3_000):
        kept.append(follow.topic(str(n)))
        kept.append(follow.join(n, "m" * 32, "c" * 32, 0))
        del kept[:-50]

    over.set()
    thread.join(10)
    assert errors == []


def test_an_answer_is_followed_from_another_worker_to_its_end(worker, other):
    gates = [Pause(), Pause()]
    worker.provider.enqueue("one ", gates[0], "two ", gates[1], "three")
    asked = worker.start()
    gates[0].wait_reached()
    worker.wait_running(asked).stream.flush()
    live = join(other, asked)
    assert live.read(0) == "one "
    gates[0].release()
    wait_for(lambda: live.read(0) == "one two ")
    gates[1].release()
    wait_for(lambda: live.end == End("completed"))
    assert live.read(0) == "one two three" == worker.message(asked).content


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome("cancelled"), End("cancelled")),
        (Outcome("error", error_code="timeout"), End("error", "timeout")),
        (Outcome("interrupted", error_code="interrupted"), End("error", "interrupted")),
    ],
)
def test_the_poller_tells_the_end_after_the_whole_text(worker, other, outcome, told):
    asked, running = open_running(worker)
    live = join(other, asked)
    running.stream.append("all of it")
    running.stream.flush()
    worker.database.write(end, asked.generation_id, outcome)
    wait_for(lambda: live.end == told)

    assert live.read(0) == "all of it"


def test_a_look_for_text_reads_the_journal_and_leaves_the_end_to_the_next(worker, other):
    asked, running = open_running(worker)
    live = join(other, asked)
    other.runtime.poller.close()
    running.stream.append("all of ")
    running.stream.flush()
    running.stream.append("it")
    running.stream.flush()
    other.runtime.poller.tick(is_whole=False)
    assert (live.read(0), live.end) == ("all of it", None)

    worker.database.write(end, asked.generation_id, Outcome("completed"))
    other.runtime.poller.tick(is_whole=False)
    assert live.end is None

    other.runtime.poller.tick()
    assert (live.read(0), live.end) == ("all of it", End("completed"))


def test_the_poller_tells_when_the_conversation_is_gone(worker, other):
    asked, _ = open_running(worker)
    live, topic = join(other, asked), other.runtime.follow.topic(asked.conversation_id)
    topic.enter()
    other.runtime.poller.tick()
    seen = topic.changes
    worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)

    wait_for(lambda: live.end == End("gone"))
    wait_for(lambda: topic.changes > seen)


def test_the_poller_tells_of_changes_that_are_not_text(worker, other):
    asked = worker.answer()
    topic = other.runtime.follow.topic(asked.conversation_id)
    topic.enter()
    other.runtime.poller.tick()
    seen = topic.changes
    other.runtime.poller.tick()
    assert topic.changes == seen
    worker.database.write(rename, "ann", "chatstream", asked.conversation_id, "Other")
    other.runtime.poller.tick()
    assert topic.changes == seen + 1


def test_what_is_known_already_is_no_news():
    topic = Topic("c")
    topic.read(3)
    topic.change(3)
    topic.change(2)
    assert topic.changes == 0

    mark = topic.mark()
    topic.change(4)
    assert mark.is_set() and topic.changes == 1
    topic.change(4)
    assert topic.changes == 1
    topic.change()
    assert topic.changes == 2


@pytest.mark.parametrize("version", [2, 4])
def test_viewers_who_have_read_different_versions_read_again(version):
    topic = Topic("c")
    topic.read(3)
    mark = topic.mark()
    topic.read(version)

    assert mark.is_set() and topic.changes == 1 and topic.version == max(3, version)


def test_a_change_made_here_is_not_told_again_by_the_poller(worker):
    asked = worker.answer()
    topic = worker.runtime.follow.topic(asked.conversation_id)
    topic.enter()
    worker.runtime.poller.tick()
    seen = topic.changes
    again = worker.answer(conversation_id=asked.conversation_id, parent_id=asked.message_id)
    wait_for(lambda: topic.changes > seen)
    told = topic.changes
    worker.runtime.poller.tick()

    assert topic.changes == told
    assert topic.version == worker.conversation(again).version
    topic.leave()


def test_text_between_the_look_and_the_subscription_is_not_missed(worker, other):
    """F36: the viewer reads at 0, text comes, then the viewer subscribes and the poller runs."""

    asked, running = open_running(worker)
    poller = other.runtime.poller
    running.stream.append("before ")
    running.stream.flush()

    with other.database.read() as session:
        (reading,) = read_messages(session, [asked.message_id])

    running.stream.append("between ")
    running.stream.flush()
    live = other.runtime.follow.join(*place(asked))
    live.publish(0, reading.text)
    poller.tick()
    running.stream.append("after")
    running.stream.flush()
    poller.tick()

    assert live.read(0) == "before between after"


def test_a_viewer_who_comes_back_misses_nothing(worker, other):
    """The poller knew the generation from before, and read only what came since its last look."""

    asked, running = open_running(worker)
    poller = other.runtime.poller
    running.stream.append("one ")
    running.stream.flush()
    live = other.runtime.follow.join(*place(asked))
    poller.tick()
    assert live.read(0) == "one "
    del live
    gc.collect()
    running.stream.append("two ")
    running.stream.flush()
    poller.tick()
    live = other.runtime.follow.join(*place(asked))
    running.stream.append("three")
    running.stream.flush()
    poller.tick()
    poller.tick()

    assert live.read(0) == "one two three"


def test_two_answers_are_followed_apart(worker, other):
    opened = [open_running(worker) for _ in range(2)]
    lives = [join(other, asked) for asked, _ in opened]

    for n in range(50):
        for k, (_, running) in enumerate(opened):
            running.stream.append(f"<{k}:{n}>")

    for k, (_, running) in enumerate(opened):
        running.stream.flush()
        expected = "".join(f"<{k}:{n}>" for n in range(50))
        wait_for(lambda k=k, expected=expected: lives[k].read(0) == expected)


def test_many_viewers_of_another_worker_read_the_same_text(worker, other):
    asked, running = open_running(worker)
    pieces = [f"<{n}>" for n in range(200)]
    texts, ready = [], threading.Barrier(7)

    def view():
        live, text = join(other, asked), ""
        ready.wait(10)

        while True:
            mark = live.mark()
            more = live.read(len(text))
            text += more

            if more:
                continue

            if live.end is not None:
                break

            mark.wait(5)

        texts.append(text)

    viewers = [threading.Thread(target=view) for _ in range(6)]

    for viewer in viewers:
        viewer.start()

    ready.wait(10)

    for piece in pieces:
        running.stream.append(piece)

    worker.runtime.end(running, Outcome("completed"))

    for viewer in viewers:
        viewer.join(20)

    content = worker.message(asked).content
    assert texts == [content] * 6
    assert "".join(pieces).startswith(content)


def test_the_poller_ends_when_nobody_looks_and_starts_again(worker, other):
    asked, _ = open_running(worker)
    live = join(other, asked)
    assert other.runtime.poller._running
    worker.database.write(end, asked.generation_id, Outcome("cancelled"))
    wait_for(lambda: live.end)
    wait_for(lambda: not other.runtime.poller._running)
    again, again_running = open_running(worker)
    live = join(other, again)
    again_running.stream.append("again")
    wait_for(lambda: live.read(0) == "again")


def test_the_poller_outlives_a_failure(worker, other, monkeypatch, caplog):
    from flask_chatstream.errors import StorageUnavailable

    caplog.set_level("CRITICAL")
    failures = [StorageUnavailable("away"), RuntimeError("bug")]
    inner = other.database.read

    def read():
        if failures:
            raise failures.pop()

        return inner()

    asked, running = open_running(worker)
    live = join(other, asked)
    monkeypatch.setattr(other.database, "read", read)
    wait_for(lambda: not failures)
    running.stream.append("after all")
    wait_for(lambda: live.read(0) == "after all")


def test_a_watched_answer_is_kept_by_nobody_once_it_is_over(worker):
    """Its display held the live, and the live kept the display."""

    from flask_chatstream.following import Displays

    displays = Displays(frozenset())
    _, running = open_running(worker)
    running.stream.append("# Title\n\ntext")
    running.stream.flush()
    live = running.live
    display = displays.get(live, "")
    display.refresh()
    assert displays.get(live, "") is display
    worker.runtime.end(running, Outcome("completed"))
    worker.runtime.leave(running)
    references = weakref.ref(live), weakref.ref(display)
    del live, display, running

    def are_gone():
        gc.collect()

        return [reference() for reference in references] == [None, None]

    wait_for(are_gone)
