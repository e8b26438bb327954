"""The text of messages: never shorter than it was, never doubled, whenever it is read."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_chatstream.conversations import (
    get_conversation,
    get_message,
    join_text,
    read_changed,
    read_messages,
    read_page,
    read_path,
    read_tails,
    read_text,
)
from flask_chatstream.conversations.branches import path_to
from flask_chatstream.errors import NotFound
from flask_chatstream.lifecycle.ends import Outcome, end
from flask_chatstream.models import Message
from tests.test_generation_journal import open_running

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


@settings(deadline=None)
@given(base=st.text(max_size=5), pieces=st.lists(st.text(min_size=1, max_size=4), max_size=8))
def test_pieces_behind_the_content_are_joined_and_folded_ones_left_out(base, pieces):
    positioned, position = [], len(base)

    for piece in pieces:
        positioned.append((position, piece))
        position += len(piece)

    whole = base + "".join(pieces)
    assert join_text(base, positioned) == whole
    assert join_text(whole, positioned) == whole
    assert join_text(base, []) == base


def test_a_message_that_is_not_there_has_no_text(worker):
    with worker.database.read() as session:
        assert read_text(session, "0" * 32) == ""
        assert read_tails(session, []) == {}
        assert read_messages(session, []) == []
        assert read_messages(session, ["0" * 32]) == []


def test_a_running_answer_reads_as_it_is_committed(worker):
    asked, running = open_running(worker)
    assert worker.text(asked) == ""
    running.stream.append("so far")
    running.stream.flush()

    with worker.database.read() as session:
        question, answer = read_messages(session, [asked.user_message_id, asked.message_id])

    assert (question.text, question.tail) == ("Why?", None)
    assert (answer.text, answer.message.content) == ("so far", "")
    assert (answer.tail.generation_id, answer.tail.base_offset) == (asked.generation_id, 0)


def test_text_read_while_it_is_written_and_folded_only_grows(worker, make_worker):
    reader, over = make_worker(worker.url), threading.Event()
    wrong, looks = [], []
    current = {}

    def look():
        seen, last = "", None

        while not over.is_set():
            time.sleep(0.002)  # the writer's thread has to come to its turn, in greenlets too
            asked = current.get("asked")

            if asked is None:
                continue

            if asked is not last:
                seen, last = "", asked

            text = reader.text(asked)

            if not text.startswith(seen):
                wrong.append((seen, text))

            seen = text
            looks.append(1)

    threads = [threading.Thread(target=look) for _ in range(2)]

    for thread in threads:
        thread.start()

    for _ in range(12):
        asked, running = open_running(worker)
        current["asked"] = asked
        expected = ""

        for n in range(12):
            running.stream.append(f"<{n}>")
            expected += f"<{n}>"
            running.stream.flush()

        worker.runtime.end(running, Outcome("completed"))
        assert reader.text(asked) == expected

    over.set()

    for thread in threads:
        thread.join(20)

    assert wrong == [] and len(looks) > 20


def test_a_message_seen_before_its_end_is_read_anew_in_the_same_session(worker):
    """The session gave back the row that it had, without the text, when the journal was gone."""

    asked, running = open_running(worker)
    running.stream.append("shown")
    running.stream.flush()

    with worker.database.read() as session:
        seen = get_message(session, "ann", "chatstream", asked.message_id)
        assert (seen.status, seen.content) == ("generating", "")
        worker.database.write(end, asked.generation_id, Outcome("completed"))
        (reading,) = read_messages(session, [asked.message_id])

    assert (reading.text, reading.message.status) == ("shown", "completed")


@pytest.fixture
def tree(worker):
    """Two questions, the first answered twice; the second hangs on the second answer."""

    first = worker.answer("One?")
    where = {"conversation_id": first.conversation_id}
    again = worker.answer(turns=(), parent_id=first.user_message_id, **where)
    second = worker.answer("Two?", **where)

    return first, again, second


def ids(readings):
    return [reading.message.id for reading in readings]


def test_a_path_leads_from_the_root_to_the_leaf():
    parents = {"a": None, "b": "a", "c": "b", "x": "a", "lost": "gone"}

    assert path_to("c", parents) == ["a", "b", "c"]
    assert path_to("x", parents) == ["a", "x"]
    assert path_to("lost", parents) == ["lost"]
    assert path_to(None, parents) == path_to("unknown", parents) == []


def test_the_branch_that_is_shown_and_the_one_that_is_named(worker, tree):
    first, again, second = tree

    with worker.database.read() as session:
        conversation = get_conversation(session, "ann", "chatstream", first.conversation_id)
        shown, has_older = read_path(session, conversation)
        named, _ = read_path(session, conversation, leaf=first.message_id)

    assert ids(shown) == [
        first.user_message_id,
        again.message_id,
        second.user_message_id,
        second.message_id,
    ]
    assert not has_older
    assert ids(named) == [first.user_message_id, first.message_id]


def test_a_path_is_read_page_by_page_from_its_end(worker, tree):
    first, again, second = tree

    with worker.database.read() as session:
        conversation = get_conversation(session, "ann", "chatstream", first.conversation_id)
        newest, has_older = read_path(session, conversation, limit=2)
        assert has_older
        older, has_older = read_path(session, conversation, before=ids(newest)[0], limit=2)

    assert ids(newest) == [second.user_message_id, second.message_id]
    assert ids(older) == [first.user_message_id, again.message_id]
    assert not has_older


def test_a_path_is_read_page_by_page_from_its_beginning(worker, tree):
    with worker.database.read() as session:
        conversation = get_conversation(session, "ann", "chatstream", tree[0].conversation_id)
        whole, _ = read_path(session, conversation)
        cursor, found = None, []

        for _ in range(4):
            page, cursor = read_page(session, conversation, after=cursor, limit=1)
            found += ids(page)

        assert cursor is None
        assert found == ids(whole)
        assert ids(read_page(session, conversation, offset=1, limit=2)[0]) == found[1:3]
        assert read_page(session, conversation, offset=9) == ([], None)


def test_a_message_of_another_conversation_is_not_found(worker, tree):
    other = worker.answer()

    with worker.database.read() as session:
        conversation = get_conversation(session, "ann", "chatstream", tree[0].conversation_id)

        for read, wanted in (
            (read_path, {"leaf": other.message_id}),
            (read_path, {"before": other.message_id}),
            (read_page, {"leaf": other.message_id}),
            (read_page, {"after": other.message_id}),
        ):
            with pytest.raises(NotFound):
                read(session, conversation, **wanted)


def test_what_changed_since_a_version(worker):
    first = worker.answer("One?")
    version = worker.conversation(first).version
    second = worker.ask("Two?", conversation_id=first.conversation_id)

    with worker.database.read() as session:
        conversation = get_conversation(session, "ann", "chatstream", first.conversation_id)
        changed = ids(read_changed(session, conversation, version, None))
        none = ids(read_changed(session, conversation, version + 1, None))
        named = ids(read_changed(session, conversation, version + 1, first.message_id))

    assert changed == [second.user_message_id, second.message_id]
    assert none == [second.message_id]
    assert named == [first.message_id, second.message_id]


def test_a_message_moves_its_version_with_its_state(worker):
    asked = worker.ask()

    with worker.database.read() as session:
        before = session.get_one(Message, asked.message_id).version

    worker.cancel(asked)
    assert worker.message(asked).version == worker.conversation(asked).version == before + 1
