"""Our tables: made, taken back, and found again."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import create_engine, insert, inspect, select, text
from sqlalchemy.pool import StaticPool

from flask_chatstream import SchemaError, migrate
from flask_chatstream.migrate.drift import find_drift
from flask_chatstream.models import metadata_for
from tests.engines import KINDS, describe, open_engine


@pytest.fixture(params=KINDS)
def engine(request):
    yield from open_engine(request)


def fill(engine):
    table = metadata_for(engine.dialect.name).tables["chatstream_folder"]

    with engine.begin() as connection:
        row = {"id": "1" * 32, "owner": "ann", "mount": "chatstream", "name": "Work"}
        connection.execute(insert(table).values(**row, created_at=text("CURRENT_TIMESTAMP")))

    return table


def test_an_upgrade_makes_what_the_models_say(engine):
    migrate.upgrade(engine)

    with engine.connect() as connection:
        assert find_drift(connection) == []

    migrated = describe(engine)
    migrate.downgrade(engine, "base")
    metadata_for(engine.dialect.name).create_all(engine)
    assert describe(engine) == migrated


def test_drift_is_found(engine):
    migrate.upgrade(engine)

    with engine.begin() as connection:
        connection.execute(text("CREATE INDEX ix_stray ON chatstream_folder (name)"))
        connection.execute(text("ALTER TABLE chatstream_share ADD COLUMN stray INTEGER"))

    with engine.connect() as connection:
        assert sorted(change[0] for change in find_drift(connection)) == [
            "remove_column",
            "remove_index",
        ]


def test_up_down_and_up_again(engine):
    steps = []
    assert migrate.current(engine) is None

    migrate.upgrade(engine, on_step=lambda *step: steps.append(step))
    assert migrate.current(engine) == migrate.head()
    assert migrate.is_current(engine)
    assert set(inspect(engine).get_table_names()) == migrate.our_tables()

    migrate.downgrade(engine, "base")
    assert migrate.current(engine) is None
    assert inspect(engine).get_table_names() == [migrate.VERSION_TABLE]

    migrate.upgrade(engine)
    migrate.upgrade(engine)
    assert migrate.is_current(engine)
    assert steps == [("0001", "Conversations, messages, generations and the journal")]


def test_an_unknown_revision_is_refused_in_words(engine):
    with pytest.raises(SchemaError, match="nowhere"):
        migrate.upgrade(engine, "nowhere")


def test_tables_of_an_upgrade_that_was_broken_off_are_made_again(engine):
    tables = metadata_for(engine.dialect.name).sorted_tables[:4]
    metadata_for(engine.dialect.name).create_all(engine, tables=tables)

    migrate.upgrade(engine)

    with engine.connect() as connection:
        assert find_drift(connection) == []


def test_tables_with_rows_are_never_dropped_by_an_upgrade(engine):
    metadata = metadata_for(engine.dialect.name)
    metadata.create_all(engine, tables=[metadata.tables["chatstream_folder"]])
    fill(engine)

    with pytest.raises(SchemaError, match="chatstream_folder hold rows"):
        migrate.upgrade(engine)

    assert inspect(engine).get_table_names() == ["chatstream_folder"]


def test_whole_tables_without_a_revision_are_recognised(engine):
    metadata_for(engine.dialect.name).create_all(engine)
    table = fill(engine)

    migrate.ensure(engine, automatic=True)

    assert migrate.is_current(engine)

    with engine.connect() as connection:
        assert connection.execute(select(table.c.name)).all() == [("Work",)]


def test_the_printed_sql_makes_the_same(engine, capsys):
    migrate.upgrade(engine, sql=True)
    printed = capsys.readouterr().out

    assert migrate.current(engine) is None

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in printed.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)

        assert find_drift(connection) == []

    migrate.check(engine)
    migrate.upgrade(engine, sql=True)
    assert "CREATE" not in capsys.readouterr().out


def test_a_range_of_sql_needs_no_database(capsys):
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    migrate.upgrade(engine, "base:head", sql=True)

    assert "BIGSERIAL" in capsys.readouterr().out


def test_a_failed_step_leaves_nothing_behind(database_url):
    engine = create_engine(database_url)

    def fail(revision, what):
        raise RuntimeError("the process ends here")

    with pytest.raises(RuntimeError):
        migrate.upgrade(engine, on_step=fail)

    assert inspect(engine).get_table_names() == []
    migrate.upgrade(engine)
    migrate.check(engine)
    engine.dispose()


def test_an_engine_in_memory_can_be_upgraded():
    engine = create_engine("sqlite://", poolclass=StaticPool)
    migrate.ensure(engine, automatic=True)
    migrate.check(engine)
    engine.dispose()


def test_the_loggers_of_a_host_go_on(engine):
    logger = logging.getLogger("host.of.test_migrate")
    before = (logging.root.level, list(logging.root.handlers))

    migrate.upgrade(engine)

    assert not logger.disabled
    assert not logging.getLogger("flask_chatstream.migrate.runner").disabled
    assert (logging.root.level, list(logging.root.handlers)) == before
