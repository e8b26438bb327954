"""What goes into a column comes out of it, on every database, however it is set up.

MariaDB is taken at its worst: a database of latin1, a session that is not strict.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Boolean, Integer, String, Text, create_engine, insert, make_url, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flask_chatstream.conversations import create_conversation, find_newest, list_conversations
from flask_chatstream.errors import InvalidRequest
from flask_chatstream.lifecycle.groups import Row, write_group
from flask_chatstream.models import (
    Conversation,
    Folder,
    Generation,
    Message,
    Submission,
    Tag,
    UTCDateTime,
    metadata_for,
    new_id,
)
from flask_chatstream.models.base import Document, Line, Unfit
from flask_chatstream.storage import Database

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
#: Four bytes in UTF-8, combined, from right to left, what SQL and LIKE read, spaces at the end.
ODD = "🎉👩‍👩‍👧\U0010ffff e\u0301 \u200fשלום \u2028'\"\\%_;-- ß \t\n "
#: Columns that the database itself limits to these.
CHOSEN = {"status": "completed", "role": "user"}


pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database
SESSIONS = {
    "sqlite": {},
    "postgresql": {"options": "-c timezone=America/Los_Angeles"},
    "mysql": {"init_command": "SET sql_mode = '', time_zone = '-07:00'"},
}


@pytest.fixture
def database(migrated_url):
    session = SESSIONS[make_url(migrated_url).get_backend_name()]
    database = Database(create_engine(migrated_url, connect_args=session))

    yield database

    database.writer.close()
    database.engine.dispose()


def lines(table):
    return [column for column in table.c if isinstance(column.type, Line)]


def texts(table):
    return [column for column in table.c if isinstance(column.type, Text)]


def make_rows(fill) -> dict[str, dict[str, Any]]:
    """A row for every table, parents first; ``fill`` gives what no rule of ours decides."""

    rows: dict[str, dict[str, Any]] = {}
    metadata = metadata_for("postgresql")

    for table in metadata.sorted_tables:
        rows[table.name] = {c.name: _value(c, rows, fill) for c in table.c if c.name != "id"}

        if "id" in table.c:
            kind = table.c["id"].type
            rows[table.name]["id"] = new_id() if isinstance(kind, Line) else 1

    return rows


def _value(column, rows, fill):
    for key in column.foreign_keys:
        return rows[key.column.table.name]["id"]

    if column.name in CHOSEN:
        return CHOSEN[column.name]

    for kind, value in _VALUES.items():
        if isinstance(column.type, kind):
            return value

    return fill(column)


_VALUES = {
    UTCDateTime: MOMENT,
    Document: {"ключ 🎉": [1, 2.5, None, True, "x" * 100_000]},
    Boolean: True,
    Integer: 2_000_000_000,
}


def odd(column):
    if isinstance(column.type, Line):
        return (ODD + "x" * 400)[: column.type.length - 3] + "🎉  "

    if isinstance(column.type, Text | String):
        return ODD

    return Decimal("0.123456789") if column.name == "cost" else 0.1234567890123


def store(database, rows):
    def put(connection):
        for table in metadata_for(database.dialect).sorted_tables:
            if table.name in rows:
                connection.execute(insert(table).values(rows[table.name]))

    database.write(put)


def load(database):
    found = {}

    with database.read() as session:
        for table in metadata_for(database.dialect).sorted_tables:
            row = session.execute(select(table)).one()
            found[table.name] = dict(row._mapping)

    return found


@pytest.mark.filterwarnings("ignore:Dialect sqlite.pysqlite does .not. support Decimal")
def test_every_column_of_every_table_comes_back_as_it_went(database):
    rows = make_rows(odd)
    store(database, rows)
    found = load(database)

    for name, row in rows.items():
        assert {key: found[name][key] for key in row} == row

    assert sum(len(lines(t)) for t in metadata_for("sqlite").tables.values()) > 40
    assert found["chatstream_message"]["created_at"].microsecond == 123456


@pytest.mark.parametrize("letter", ["x", "🎉"])
def test_a_line_holds_its_length_and_refuses_one_more(database, letter):
    for table in metadata_for(database.dialect).sorted_tables:
        for column in lines(table):
            if column.name in CHOSEN or column.foreign_keys or column.name == "id":
                continue

            row = make_rows(odd)[table.name]
            length = column.type.length
            statement = insert(table).values({**row, column.name: letter * (length + 1)})

            with pytest.raises(Unfit, match=f"{length + 1} characters.*room for {length} "):
                database.write(lambda c, statement=statement: c.execute(statement))

    rows = make_rows(lambda c: letter * c.type.length if isinstance(c.type, Line) else odd(c))
    rows["chatstream_generation"]["cost"] = None
    store(database, rows)

    for name, row in load(database).items():
        assert {key: row[key] for key in rows[name]} == rows[name]


def test_what_is_too_long_takes_nothing_with_it(database):
    def put(connection, title):
        create_conversation(connection, "ann", "m", title="before")
        create_conversation(connection, "ann", "m", title=title)

    with pytest.raises(InvalidRequest, match="256 characters"):
        database.write(put, "x" * 256)

    database.write(put, "x" * 255)

    with database.read() as session:
        titles = session.scalars(select(Conversation.title)).all()

    assert sorted(titles) == ["before", "x" * 255]


def test_a_pattern_may_be_longer_than_what_it_looks_for(database):
    database.write(create_conversation, "ann", "m", title="Tomatoes")

    with database.read() as session:
        found = select(Conversation.title).where(Conversation.title.like("%" * 300 + "toes"))
        assert session.scalars(found).all() == ["Tomatoes"]


OWNERS = [
    "bob",
    "Bob",
    "BOB",
    "bob ",
    "bob  ",
    "böb",
    "bo\u0308b",
    "bob\t",
    "bøb",
    "ｂob",
    "0",
    "🎉",
]


def test_owners_that_look_alike_are_not_each_other(database):
    made = {owner: database.write(create_conversation, owner, "m", title=owner) for owner in OWNERS}

    with database.read() as session:
        for owner, id in made.items():
            listed = list_conversations(session, owner, "m", limit=50).conversations
            assert [(c.id, c.title) for c in listed] == [(id, owner)]
            assert find_newest(session, owner, "m").id == id

        assert session.scalars(select(Conversation.id).where(Conversation.owner == 0)).all() == [
            made["0"]
        ]


def test_keys_and_tags_that_look_alike_are_apart(database):
    conversation = database.write(create_conversation, "ann", "m")

    def put(connection):
        for name in OWNERS:
            submission = {"owner": "ann", "key": name, "conversation_id": conversation}
            tag = {"owner": "ann", "name": name, "conversation_id": conversation}
            connection.execute(insert(Submission).values(created_at=MOMENT, **submission))
            connection.execute(insert(Tag).values(tag))

    database.write(put)

    with pytest.raises(IntegrityError):
        database.write(put)

    with database.read() as session:
        for name in OWNERS:
            keys = select(Submission.key).where(Submission.owner == "ann", Submission.key == name)
            assert session.scalars(keys).all() == [name]
            assert session.scalars(select(Tag.name).where(Tag.name.in_([name]))).all() == [name]


@pytest.mark.parametrize("size", [200_000, 1_000_000])
def test_an_answer_of_that_size_comes_back_whole(database, size):
    text = ("Ünï🎉\n" * size)[:size]
    rows = make_rows(odd)
    rows["chatstream_generation"]["cost"] = None
    rows["chatstream_message"] |= {"content": text, "html": text * 3, "reasoning": text}
    store(database, rows)

    with database.read() as session:
        found = session.scalars(select(Message)).one()
        assert found.content == found.reasoning == text
        assert found.html == text * 3


def test_journal_rows_hold_odd_and_big_text(database):
    rows = make_rows(odd)
    rows["chatstream_generation"] |= {"cost": None, "status": "running", "epoch": 1}
    del rows["chatstream_chunk"]
    big = ("Ünï🎉\n" * 200_000)[:200_000]
    pieces = [ODD, " ", "🎉", big, "", " end "]

    store(database, rows)
    start, chunks = 0, []

    for seq, piece in enumerate(pieces, 1):
        chunks.append(Row(1, seq, start, piece))
        start += len(piece) or 1

    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert write_group(connection, chunks, {1: 1}).live == {1}

    with database.read() as session:
        table = database.journal
        found = session.execute(select(table).order_by(table.c.seq)).all()

    assert [row.text for row in found] == pieces
    assert all(abs(row.at / 1e6 - datetime.now(UTC).timestamp()) < 60 for row in found)


def test_moments_keep_their_order_to_the_microsecond(database):
    west = timezone(timedelta(hours=-7))
    moments = [
        datetime(2026, 10, 25, 0, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 0, 0, 0, tzinfo=UTC),
        datetime(2026, 10, 24, 18, 0, 0, 1, tzinfo=west),
        datetime(2026, 3, 29, 2, 30, 0, 500_000, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    ]

    with Session(database.engine) as session:
        for number, moment in enumerate(moments):
            session.add(Folder(owner="ann", mount="m", name=str(number), created_at=moment))
        session.commit()

    with database.read() as session:
        found = session.scalars(select(Folder.created_at).order_by(Folder.created_at)).all()
        later = select(Folder.name).where(Folder.created_at > moments[1])
        assert session.scalars(later).all() == ["2"]

    assert found == sorted(moments)
    assert {moment.tzinfo for moment in found} == {UTC}


@pytest.mark.parametrize("value", [None, {}, [], {"a": None}, "🎉", 1.5, {"deep": [[[[{}]]]]}])
def test_json_comes_back_as_it_went(database, value):
    id = database.write(create_conversation, "ann", "m", details=value)

    with database.read() as session:
        assert session.get_one(Conversation, id).details == value


def test_a_site_asks_into_json(database):
    for name in ("Kiosk 🎉", "Shop"):
        database.write(create_conversation, "ann", "m", title=name, details={"place": [name]})

    with database.read() as session:
        place = Conversation.details["place"][0].as_string()
        found = select(Conversation.title).where(place == "Kiosk 🎉")
        assert session.scalars(found).all() == ["Kiosk 🎉"]


def test_json_is_cleaned_of_what_a_database_refuses(database):
    details = {"a\0": ["\ud800", ("\ud83c\udf89",)]}
    id = database.write(create_conversation, "ann", "m", details=details)

    with database.read() as session:
        assert session.get_one(Conversation, id).details == {"a\ufffd": ["\ufffd", ["🎉"]]}


@pytest.mark.parametrize("bad", ["\0", "\ud800", "a\0b"])
def test_a_line_refuses_what_no_database_keeps(database, bad):
    with pytest.raises(Unfit, match="NUL or half"):
        database.write(create_conversation, bad, "m")

    with pytest.raises(Unfit), database.read() as session:
        find_newest(session, bad, "m")


def test_numbers_are_exact(database):
    rows = make_rows(odd)
    rows["chatstream_generation"] |= {"temperature": 0.1 + 0.2, "cost": None}
    rows["chatstream_conversation"] |= {"total_tokens": 2**62, "version": 2**53 + 1}
    store(database, rows)

    with database.read() as session:
        found = session.scalars(select(Conversation)).one()
        assert (found.total_tokens, found.version) == (2**62, 2**53 + 1)
        assert session.scalar(select(Generation.temperature)) == 0.1 + 0.2
