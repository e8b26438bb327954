"""A host's ``create_all()`` and ``drop_all()`` cover our tables, and only whole ones do."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, inspect, text

from flask_chatstream import migrate
from flask_chatstream.migrate.drift import find_drift
from flask_chatstream.migrate.version import version_table
from tests.engines import KINDS, address, describe, open_engine, run_together


@pytest.fixture(params=KINDS)
def engine(request):
    yield from open_engine(request)


def host_metadata(carries=True):
    metadata = MetaData()
    Table("orders", metadata, Column("id", Integer, primary_key=True))
    Table("invoice", metadata, Column("id", Integer, primary_key=True))
    migrate.cover_host_metadata(metadata, lambda: carries)

    return metadata


def names(engine):
    return set(inspect(engine).get_table_names())


def test_create_all_makes_ours_and_the_upgrade_recognises_them(engine):
    host_metadata().create_all(engine)

    assert names(engine) == {"orders", "invoice"} | migrate.our_tables()
    migrate.check(engine)

    with engine.connect() as connection:
        assert find_drift(connection) == []

    before = describe(engine)
    migrate.upgrade(engine)
    assert describe(engine) == before
    migrate.downgrade(engine, "base")
    assert names(engine) == {"orders", "invoice", migrate.VERSION_TABLE}


def test_drop_all_drops_ours(engine):
    metadata = host_metadata()
    metadata.create_all(engine)
    metadata.drop_all(engine)
    assert names(engine) == set()

    metadata.create_all(engine)
    metadata.create_all(engine)
    migrate.check(engine)


def test_a_metadata_that_was_reflected(engine):
    """It has our tables, not quite as they are; ``drop_all()`` failed."""

    host_metadata().create_all(engine)
    before = describe(engine)
    metadata = host_metadata()
    metadata.reflect(engine)
    assert set(metadata.tables) == names(engine)

    metadata.drop_all(engine)
    assert names(engine) == set()
    metadata.create_all(engine)
    assert describe(engine) == before
    migrate.check(engine)


def test_a_metadata_that_was_reflected_in_part(engine):
    """Dropping some of the tables leaves ours; the others go with the last of the host's."""

    host_metadata().create_all(engine)
    metadata = host_metadata()
    metadata.reflect(engine, only=["chatstream_message", "orders"])
    metadata.drop_all(engine, tables=[metadata.tables["orders"]])
    assert names(engine) == {"invoice"} | migrate.our_tables()

    metadata.drop_all(engine)
    assert names(engine) == set()


def test_a_call_for_some_tables_leaves_ours_alone(engine):
    metadata = host_metadata()
    metadata.create_all(engine, tables=[metadata.tables["orders"]])
    assert names(engine) == {"orders"}

    metadata.create_all(engine)
    metadata.drop_all(engine, tables=[metadata.tables["orders"]])
    assert names(engine) == {"invoice"} | migrate.our_tables()


def test_an_app_without_the_chat_gets_none_of_it(engine):
    metadata = host_metadata(carries=False)
    metadata.create_all(engine)
    assert names(engine) == {"orders", "invoice"}

    migrate.upgrade(engine)
    metadata.drop_all(engine)
    assert names(engine) == migrate.our_tables()


def test_tables_at_another_revision_are_left_to_the_upgrade(engine):
    migrate.upgrade(engine)

    with engine.begin() as connection:
        connection.execute(version_table.update().values(version_num="0000"))
        connection.execute(text("DROP TABLE chatstream_tag"))

    host_metadata().create_all(engine)

    assert "chatstream_tag" not in names(engine)
    assert migrate.current(engine) == "0000"


def test_a_host_transaction_goes_on(engine):
    metadata = host_metadata()

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE earlier (id INTEGER)"))
        connection.execute(text("INSERT INTO earlier VALUES (1)"))
        metadata.create_all(connection)
        connection.execute(text("INSERT INTO orders VALUES (7)"))

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT id FROM orders")) == 7

    migrate.check(engine)


def test_a_metadata_is_covered_once(sqlite_url):
    metadata = host_metadata()
    migrate.cover_host_metadata(metadata, lambda: pytest.fail("the first call counts"))
    engine = create_engine(sqlite_url)
    metadata.create_all(engine)
    migrate.check(engine)
    engine.dispose()


def test_create_all_of_four_workers_of_a_grown_site(engine):
    source = (
        "from sqlalchemy import Column, Integer, MetaData, Table, create_engine\n"
        "metadata = MetaData()\n"
        "Table('orders', metadata, Column('id', Integer, primary_key=True))\n"
        "flask_chatstream.migrate.cover_host_metadata(metadata, lambda: True)\n"
        "metadata.create_all(create_engine(sys.argv[1]))"
    )

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY)"))

    assert run_together(source, address(engine)) == []
    migrate.check(engine)
