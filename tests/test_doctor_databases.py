"""The doctor on real servers: PostgreSQL, also behind PgBouncer, MariaDB, Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url

from flask_chatstream import ChatStream, migrate
from flask_chatstream.doctor.clock import check_clock
from flask_chatstream.providers.scripted import ScriptedProvider
from tests.consulting import Report, consult
from tests.pgbouncer import run_pgbouncer
from tests.services import execute, need

pytestmark = pytest.mark.db

Consult = Callable[..., Report]


@pytest.fixture
def consult_on(tmp_path: Path) -> Iterator[Consult]:
    """The report on a site whose chat is on a database, with more settings."""

    made = []

    def ask(url: str, **settings: Any) -> Report:
        app = Flask("site", instance_path=str(tmp_path / "instance"))
        app.config.update(SECRET_KEY="0123456789abcdef for tests only")
        app.config.update(CHATSTREAM_DATABASE_URI=url, **settings)
        app.register_blueprint(ChatStream(provider=ScriptedProvider()))
        made.append(app)

        return consult(app)

    yield ask

    for app in made:
        app.extensions["chatstream"].close()


def upgrade(url: str) -> str:
    engine = create_engine(url)
    migrate.upgrade(engine)
    engine.dispose()

    return url


def test_postgres_that_is_well(postgres_url: str, consult_on: Consult) -> None:
    report = consult_on(upgrade(postgres_url))

    assert (report.code, report.bad()) == (0, []), report.output
    assert report.find("PostgreSQL 1").level == "ok"
    assert report.find("synchronous_commit is on:").level == "ok"
    assert report.find("This machine's clock goes with the database's").level == "ok"
    assert report.find("A wake-up by postgres comes back").level == "ok"
    assert report.levels("disk") == {"skipped"}


def test_postgres_that_answers_before_it_has_written(
    postgres_url: str, consult_on: Consult
) -> None:
    upgrade(postgres_url)
    name = make_url(postgres_url).database
    execute(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")

    assert consult_on(postgres_url).find("the site's own is off").level == "ok"
    assert consult_on(postgres_url).code == 0
    process = consult_on(postgres_url, CHATSTREAM_DURABILITY="process")
    assert process.find("synchronous_commit is off: what was shown survives a crash").level == "ok"


def test_mariadb(mariadb_url: str, consult_on: Consult) -> None:
    report = consult_on(upgrade(mariadb_url), CHATSTREAM_DURABILITY="process")

    assert (report.code, report.bad()) == (0, []), report.output
    assert report.find("MariaDB 1").level == "ok"
    assert report.find("innodb_flush_log_at_trx_commit is").level == "ok"
    assert report.find("This machine's clock goes with the database's").level == "ok"
    assert report.find("in the database alone").level == "ok"


def test_tables_that_are_not_there(postgres_url: str, consult_on: Consult) -> None:
    report = consult_on(postgres_url, CHATSTREAM_AUTO_UPGRADE=False)

    assert report.find("are not in the database").help == "Run `flask chatstream db upgrade`."
    assert report.levels("durability") == {"ok"}
    assert report.code == 1


def test_behind_a_pooler(postgres_url: str, consult_on: Consult, tmp_path: Path) -> None:
    """LISTEN is taken and nothing delivered; settings of a session are somebody else's."""

    upgrade(postgres_url)

    with run_pgbouncer(postgres_url, tmp_path) as pooled:
        found = consult_on(pooled)
        named = consult_on(pooled, CHATSTREAM_WAKE="postgres")
        content = consult_on(pooled, CHATSTREAM_WAKE="database")
        process = consult_on(pooled, CHATSTREAM_DURABILITY="process")

    assert found.find("It seems that between the chat").level == "warning"
    assert found.find("is sent and not delivered").level == "warning"
    assert "PgBouncer" in found.find("is sent and not delivered").what
    assert named.find("is sent and not delivered").level == "failure"
    assert content.levels("wake-ups") == {"ok"}
    assert process.find("synchronous_commit is off: what was shown").level == "ok"
    assert [r.code for r in (found, named, content, process)] == [0, 1, 0, 0]


def test_a_pooler_before_a_server_that_answers_too_soon(
    postgres_url: str, consult_on: Consult, tmp_path: Path
) -> None:
    name = make_url(upgrade(postgres_url)).database
    execute(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")

    with run_pgbouncer(postgres_url, tmp_path) as pooled:
        report = consult_on(pooled)

    assert report.find("the site's own is off").level == "ok"
    assert report.code == 0


def test_redis(sqlite_url: str, consult_on: Consult) -> None:
    upgrade(sqlite_url)
    there = consult_on(sqlite_url, CHATSTREAM_REDIS_URL=need("redis"))
    away = {"CHATSTREAM_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}
    found = consult_on(sqlite_url, **away)
    named = consult_on(sqlite_url, CHATSTREAM_WAKE="redis", **away)

    assert there.find("A wake-up by redis comes back").level == "ok"
    assert found.find("No connection for wake-ups by redis").level == "warning"
    assert named.find("No connection for wake-ups by redis").level == "failure"
    assert "secret" not in found.output + named.output
    assert [r.code for r in (there, found, named)] == [0, 0, 1]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_machine_whose_clock_is_wrong(postgres_url: str, hours: int) -> None:
    """F47."""

    engine = create_engine(postgres_url)
    (found,) = check_clock(engine, lambda: datetime.now(UTC) + timedelta(hours=hours))
    engine.dispose()

    assert found.level == "warning"
    assert f"clock is 3600 s {'ahead of' if hours > 0 else 'behind'} the database's" in found.what
