"""The tables: names, types that mean the same everywhere, and ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from flask_chatstream.models import (
    ACTIVE,
    Base,
    Conversation,
    Folder,
    Generation,
    Message,
    UTCDateTime,
    journal_for,
    metadata_for,
    new_id,
)

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database
DIALECTS = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_name_is_ours_explicit_and_short_enough(dialect):
    for table in metadata_for(dialect).tables.values():
        assert table.name.startswith("chatstream_")

        for part in [*table.constraints, *table.indexes]:
            assert part.name is not None
            assert len(str(part.name)) <= 63
            assert table.name in str(part.name) or "chatstream" in str(part.name)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_journal_is_as_its_database_wants_it(dialect):
    table = journal_for(dialect)
    keys = [column.name for column in table.primary_key]

    assert keys == (["id"] if dialect == "sqlite" else ["generation_id", "start"])
    assert table.indexes == set()
    assert {"generation_id", "seq", "start", "text", "at"} <= set(table.c.keys())


def test_the_two_shapes_differ_in_the_journal_alone():
    here, there = metadata_for("sqlite"), metadata_for("postgresql")

    assert here is Base.metadata
    assert set(here.tables) == set(there.tables)

    for name in set(here.tables) - {"chatstream_chunk"}:
        assert here.tables[name].c.keys() == there.tables[name].c.keys()


def test_journal_ids_are_never_used_again(migrated_sqlite_url, make_worker):
    worker = make_worker(migrated_sqlite_url)
    table = worker.database.journal
    row = {"generation_id": 1, "seq": 1, "start": 0, "text": "a", "at": 0}

    def put(connection):
        return connection.execute(insert(table).values(**row)).inserted_primary_key[0]

    first = worker.database.write(put)
    worker.database.write(lambda connection: connection.execute(table.delete()))

    assert worker.database.write(put) > first


def test_ids_are_hex_unique_and_sort_by_time(monkeypatch):
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(id) == 32 and int(id, 16) >= 0 and id == id.lower() for id in ids)
    assert {id[12] for id in ids} == {"7"}
    assert {id[16] for id in ids} <= set("89ab")

    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000_000_000_000)
    early = new_id()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000_001_000_000)
    assert early < new_id()


def test_a_moment_comes_back_aware_and_exact(worker):
    west = timezone(timedelta(hours=-7))
    moment = datetime(2026, 3, 1, 23, 59, 59, 123456, tzinfo=west)
    owner = "ann"

    with Session(worker.engine) as session:
        session.add(Folder(owner=owner, mount="m", name="n", created_at=moment))
        session.commit()
        found = session.scalars(select(Folder.created_at)).one()
        naive = session.scalar(text("SELECT created_at FROM chatstream_folder"))

    assert found == moment and found.tzinfo is UTC
    assert str(naive).startswith("2026-03-02 06:59:59.123456")


def test_a_naive_moment_counts_as_utc():
    kind, naive = UTCDateTime(), datetime(2026, 1, 1)

    assert kind.process_bind_param(naive, sqlite.dialect()) == naive
    assert kind.process_bind_param(None, sqlite.dialect()) is None
    assert kind.process_result_value(None, sqlite.dialect()) is None


@pytest.mark.parametrize("table", [Message.__table__, Generation.__table__])
def test_the_database_refuses_a_state_that_there_is_not(table):
    named = {str(c.name): str(c.sqltext) for c in table.constraints if hasattr(c, "sqltext")}
    status = next(rule for name, rule in named.items() if name.endswith("_status"))

    for state in ("completed", "error", "cancelled"):
        assert f"'{state}'" in status

    assert all(f"'{state}'" in status for state in ACTIVE) == (table.name.endswith("generation"))


def test_a_hosts_own_session_makes_and_reads_rows(worker):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    times = dict.fromkeys(("created_at", "updated_at", "last_message_at"), moment)

    with Session(worker.engine) as session:
        made = Conversation(owner="ann", title="Hi", details={"a": [1]}, **times)
        session.add(made)
        session.commit()
        id = made.id

    with Session(worker.engine) as session:
        found = session.get_one(Conversation, id)

    assert (found.version, found.message_count, found.mount) == (1, 0, "chatstream")
    assert (found.details, found.pinned, found.archived) == ({"a": [1]}, False, False)
