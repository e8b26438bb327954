"""An owner's conversations: found by owner, listed without doubles, deleted whole."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, update

from flask_chatstream.conversations import (
    create_conversation,
    delete_conversation,
    find_newest,
    find_running,
    get_conversation,
    get_message,
    list_conversations,
    rename,
)
from flask_chatstream.conversations.history import CHARS_PER_TOKEN, Said, read_history, trim
from flask_chatstream.conversations.titles import LENGTH, title_from
from flask_chatstream.errors import InvalidRequest, NotFound
from flask_chatstream.models import Conversation, Message, Reaction, Share, Tag
from flask_chatstream.providers.scripted import Pause
from tests.test_generation_journal import open_running

pytest_plugins = ["tests.engine_fixtures"]


def create(worker, title, owner="ann", **values):
    id = worker.database.write(create_conversation, owner, "chatstream", title=title)

    if values:
        mine = update(Conversation).where(Conversation.id == id).values(**values)
        worker.database.write(lambda connection: connection.execute(mine))

    return id


def listed(worker, **wanted):
    with worker.database.read() as session:
        page = list_conversations(session, "ann", "chatstream", **wanted)

    return [c.title for c in page.conversations], page.next_cursor


@pytest.mark.every_database
def test_an_empty_conversation_is_stored_with_what_was_said_of_it(worker):
    id = worker.database.write(
        create_conversation,
        "ann",
        "chatstream",
        title="Mine",
        model="gpt-x",
        context_window=100,
        details={"a": 1},
    )

    with worker.database.read() as session:
        found = get_conversation(session, "ann", "chatstream", id)

    assert (found.title, found.title_source, found.model) == ("Mine", "person", "gpt-x")
    assert (found.context_window, found.details) == (100, {"a": 1})
    assert (found.version, found.message_count, found.total_tokens) == (1, 0, 0)


@pytest.mark.every_database
@pytest.mark.parametrize(
    "who", [("bob", "chatstream"), ("ANN", "chatstream"), ("ann", "support"), ("", "chatstream")]
)
def test_nobody_else_finds_changes_or_deletes_it(worker, who):
    asked = worker.answer()
    id = asked.conversation_id

    with worker.database.read() as session:
        for find, what in (
            (get_conversation, id),
            (get_message, asked.message_id),
            (get_conversation, "0" * 32),
            (get_message, "0" * 32),
        ):
            with pytest.raises(NotFound):
                find(session, *who, what)

        assert find_newest(session, *who) is None
        assert list_conversations(session, *who).conversations == []

    for change in (
        lambda connection: rename(connection, *who, id, "Stolen"),
        lambda connection: delete_conversation(connection, *who, id),
    ):
        with pytest.raises(NotFound):
            worker.database.write(change)

    assert worker.conversation(asked).title == "Why?"


@pytest.mark.every_database
def test_the_list_begins_with_the_latest_activity(worker):
    first = worker.answer("first")
    worker.answer("second")
    worker.answer("again", conversation_id=first.conversation_id)
    create(worker, "archived", archived=True)
    create(worker, "another's", owner="bob")

    assert listed(worker) == (["first", "second"], None)

    with worker.database.read() as session:
        assert find_newest(session, "ann", "chatstream").title == "first"


@pytest.mark.every_database
def test_pages_stay_apart_while_conversations_are_added(worker):
    for n in range(10):
        create(worker, f"{n}")

    found, cursor = listed(worker, limit=3)
    pages = 1

    while cursor:
        create(worker, f"new {pages}")
        titles, cursor = listed(worker, limit=3, cursor=cursor)
        found += titles
        pages += 1

    assert found == [str(n) for n in reversed(range(10))]
    assert pages == 4


@pytest.mark.every_database
def test_conversations_of_one_moment_are_listed_once_each(worker):
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    for n in range(7):
        create(worker, f"{n}", last_message_at=moment)

    found, cursor = listed(worker, limit=2)

    while cursor:
        titles, cursor = listed(worker, limit=2, cursor=cursor)
        found += titles

    assert sorted(found) == [str(n) for n in range(7)]


def test_the_last_page_has_no_cursor(worker):
    for n in range(4):
        create(worker, f"{n}")

    assert listed(worker, limit=4) == (["3", "2", "1", "0"], None)
    titles, cursor = listed(worker, limit=2)
    assert (titles, listed(worker, limit=2, cursor=cursor)) == (["3", "2"], (["1", "0"], None))
    assert listed(worker, limit=2, offset=3) == (["0"], None)
    assert listed(worker, offset=9) == ([], None)


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "A" * 10,
        "\0",
        encoded(None),
        encoded(7),
        encoded([]),
        encoded(["2026-01-01"]),
        encoded([7, "0" * 32]),
        encoded(["yesterday", "0" * 32]),
        encoded(["2026-01-01T00:00:00+00:00", {"a": 1}]),
        encoded(["2026-01-01T00:00:00+00:00", "nul \0"]),
        encoded(["2026-01-01T00:00:00+00:00", "lone \ud800"]),
        encoded(["0001-01-01T00:00:00+14:00", "0" * 32]),
        encoded(["9999-12-31T23:59:59-14:00", "0" * 32]),
        base64.urlsafe_b64encode(b"[" * 20_000).decode(),
    ],
)
def test_a_cursor_of_another_make_is_refused(worker, cursor):
    """F35."""

    with pytest.raises(InvalidRequest) as caught:
        listed(worker, cursor=cursor)

    assert caught.value.code == "invalid_cursor"


@pytest.mark.every_database
def test_those_are_running_that_are_being_written(worker):
    running, done, queued = open_running(worker)[0], worker.answer(), worker.ask()
    ids = [asked.conversation_id for asked in (running, done, queued)]

    with worker.database.read() as session:
        assert find_running(session, ids) == {ids[0], ids[2]}
        assert find_running(session, []) == set()


@pytest.mark.every_database
def test_a_persons_title_stays(worker):
    asked = worker.answer("Words?")
    version = worker.conversation(asked).version
    worker.database.write(rename, "ann", "chatstream", asked.conversation_id, "Mine")
    worker.answer("More?", conversation_id=asked.conversation_id)
    found = worker.conversation(asked)

    assert (found.title, found.title_source) == ("Mine", "person")
    assert found.version > version


@pytest.mark.every_database
def test_deletion_leaves_no_row_and_touches_no_other(worker):
    kept = worker.answer("kept")
    before = worker.rows()
    asked = worker.answer("gone", key="k1")
    where = {"conversation_id": asked.conversation_id}
    worker.answer("more", **where)
    running, stream = open_running(worker, question="running", **where)
    stream.stream.append("text")
    stream.stream.flush()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    times = {"created_at": moment, "updated_at": moment}
    extras = (
        insert(Reaction).values(message_id=asked.message_id, owner="ann", value=1, **times),
        insert(Tag).values(owner="ann", name="t", **where),
        insert(Share).values(
            id="5" * 32,
            message_id=asked.message_id,
            owner="ann",
            token="t",
            created_at=moment,
            **where,
        ),
    )

    for extra in extras:
        worker.database.write(lambda connection, extra=extra: connection.execute(extra))

    gone = worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)

    assert gone == [running.generation_id]
    after = worker.rows()
    assert after.pop("chatstream_submission") == 1
    before.pop("chatstream_submission")
    # The background work may have cleared what the kept answer left in the journal.
    assert after.pop("chatstream_chunk") <= before.pop("chatstream_chunk")
    assert worker.chunks(running) == worker.chunks(asked) == []
    assert after == before
    assert worker.text(kept) == "A scripted answer."

    with pytest.raises(NotFound):
        worker.database.write(delete_conversation, "ann", "chatstream", asked.conversation_id)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("", ""),
        ("  Why \n\t me? ", "Why me?"),
        ("x" * LENGTH, "x" * LENGTH),
        ("x" * 200, "x" * (LENGTH - 1) + "…"),
        ("word " * 40, ("word " * 11).strip() + "…"),
        ("a, " + "b" * 200, "a, " + "b" * (LENGTH - 4) + "…"),
    ],
)
def test_a_title_is_the_first_words(question, title):
    found = title_from(question)

    assert found == title
    assert len(found) <= LENGTH


def history(*lengths):
    return [Said("user", "x" * length) for length in lengths]


def test_history_is_trimmed_from_its_beginning():
    messages = history(8 * CHARS_PER_TOKEN, 4 * CHARS_PER_TOKEN, 2 * CHARS_PER_TOKEN)

    assert trim(messages, 14) == messages
    assert trim(messages, 13) == messages[1:]
    assert trim(messages, 6) == messages[1:]
    assert trim(messages, 5) == messages[2:]
    assert trim(messages, 1) == messages[2:]
    assert trim([], 5) == []


def test_history_leaves_no_hole():
    messages = history(CHARS_PER_TOKEN, 9 * CHARS_PER_TOKEN, CHARS_PER_TOKEN)

    assert trim(messages, 3) == messages[2:]


def test_the_history_has_the_journals_part_of_an_answer_that_goes_on(worker):
    gate = Pause()
    worker.provider.enqueue("one ", gate, "two")
    asked = worker.start("First?")
    gate.wait_reached()
    worker.wait_running(asked).stream.flush()
    parent = asked.message_id

    for n, (role, content) in enumerate([("user", "Second?"), ("assistant", "")]):
        id = f"{n:032x}"
        values = {"conversation_id": asked.conversation_id, "parent_id": parent, "depth": n + 2}
        times = dict.fromkeys(("created_at", "updated_at"), datetime.now(UTC))
        store = insert(Message).values(id=id, role=role, content=content, **values, **times)
        worker.database.write(lambda connection, store=store: connection.execute(store))
        parent = id

    with worker.database.read() as session:
        said = read_history(session, parent, 1000)

    gate.release()
    worker.wait_end(asked)
    assert said == [("user", "First?"), ("assistant", "one "), ("user", "Second?")]


def test_a_conversation_has_its_own_window(worker):
    for n in range(4):
        worker.provider.enqueue(str(n) * 40)

    first = worker.answer("q" * 40)
    where = {"conversation_id": first.conversation_id}
    worker.answer("r" * 40, **where)
    assert len(worker.provider.requests[-1].messages) == 3
    small = update(Conversation).values(context_window=20)
    worker.database.write(lambda connection: connection.execute(small))
    worker.answer("s" * 40, **where)

    assert [m.content for m in worker.provider.requests[-1].messages] == ["1" * 40, "s" * 40]
