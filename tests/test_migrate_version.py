"""Which revision a database is at, and what the site is told when it is another one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import create_engine, inspect

from flask_chatstream import SchemaError, StorageUnavailable, migrate
from flask_chatstream.migrate import version
from tests.engines import KINDS, describe, open_engine
from tests.services import ROOT


@pytest.fixture(params=KINDS)
def engine(request):
    yield from open_engine(request)


def set_revision(engine, revision):
    with engine.begin() as connection:
        connection.execute(version.version_table.update().values(version_num=revision))


def test_the_list_of_revisions_is_that_of_the_files():
    from alembic.script import ScriptDirectory

    from flask_chatstream.migrate.runner import _config

    scripts = ScriptDirectory.from_config(_config({}, "sqlite", None))
    files = [script.revision for script in scripts.walk_revisions()]

    assert tuple(reversed(files)) == version.REVISIONS
    assert scripts.get_heads() == [migrate.head()]


def test_missing_tables_are_made_only_when_that_is_automatic(engine):
    with pytest.raises(SchemaError, match="flask chatstream db upgrade"):
        migrate.ensure(engine, automatic=False)

    assert inspect(engine).get_table_names() == []

    migrate.ensure(engine, automatic=True)
    migrate.ensure(engine, automatic=False)
    migrate.check(engine)


def test_a_database_that_is_behind_is_told_apart(engine, monkeypatch):
    migrate.upgrade(engine)
    monkeypatch.setattr(version, "REVISIONS", ("0001", "0002"))

    with pytest.raises(SchemaError, match=r"at revision 0001.* needs 0002.*db upgrade"):
        migrate.check(engine)

    with pytest.raises(SchemaError, match="needs 0002"):
        migrate.ensure(engine, automatic=False)


def test_a_database_of_a_newer_version_is_left_alone(engine):
    migrate.upgrade(engine)
    set_revision(engine, "9999")
    before = describe(engine)

    for attempt in (
        lambda: migrate.check(engine),
        lambda: migrate.ensure(engine, automatic=False),
        lambda: migrate.ensure(engine, automatic=True),
        lambda: migrate.upgrade(engine),
        lambda: migrate.upgrade(engine, sql=True),
        lambda: migrate.downgrade(engine, "base"),
    ):
        with pytest.raises(SchemaError, match=r"revision 9999.*newer version"):
            attempt()

    assert describe(engine) == before
    migrate.stamp(engine, "head")
    assert migrate.is_current(engine)


def test_a_database_that_is_away_is_not_taken_for_an_empty_one():
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")

    with pytest.raises(StorageUnavailable):
        migrate.current(engine)

    with pytest.raises(StorageUnavailable):
        migrate.ensure(engine, automatic=True)


def test_current_tables_need_no_alembic(sqlite_url):
    engine = create_engine(sqlite_url)
    migrate.upgrade(engine)
    engine.dispose()
    source = (
        "import sys\n"
        "from sqlalchemy import create_engine\n"
        "from flask_chatstream import migrate\n"
        "engine = create_engine(sys.argv[1])\n"
        "migrate.hide_from_autogenerate()\n"
        "migrate.ensure(engine, automatic=True)\n"
        "migrate.check(engine)\n"
        "sys.exit('alembic' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", source, sqlite_url], check=True, cwd=ROOT)
