"""``flask chatstream doctor`` on one machine with SQLite: what it says, and that it only looks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, insert, select, update

from flask_chatstream import ChatStream
from flask_chatstream.migrate import version
from flask_chatstream.models import Generation, Submission, journal_for, metadata_for
from flask_chatstream.providers.scripted import ScriptedProvider
from tests.consulting import consult
from tests.hosts import Host, open_host
from tests.workers import Worker

KEY = "0123456789abcdef for tests only"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A site whose tables are there."""

    with open_host(tmp_path, lambda app: app.config.update(SECRET_KEY=KEY)) as host:
        yield host


@pytest.fixture
def worker(host: Host) -> Iterator[Worker]:
    """Another process's engine on the site's file; it does not sweep."""

    worker = Worker(str(host.state.database.engine.url))

    yield worker

    worker.close()


MakeSite = Callable[..., Flask]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """A site with a Flask-SQLAlchemy, or without one."""

    made = []

    def make(url: str | None = None, chat: ChatStream | None = None, **config: Any) -> Flask:
        app = Flask("site", instance_path=str(tmp_path / f"instance-{len(made)}"))
        app.config.update({"SECRET_KEY": KEY, **config})

        if url is not None:
            app.config["SQLALCHEMY_DATABASE_URI"] = url
            SQLAlchemy(app)

        app.register_blueprint(chat or ChatStream(provider=ScriptedProvider()))
        made.append(app)

        return app

    yield make

    for app in made:
        app.extensions["chatstream"].close()

        if "sqlalchemy" in app.extensions:
            with app.app_context():
                app.extensions["sqlalchemy"].engine.dispose()


def run(app: Flask, *arguments: str) -> Any:
    """Another command of the chat's."""

    return app.test_cli_runner().invoke(args=["chatstream", *arguments])


def test_a_site_that_is_well(host: Host) -> None:
    report = consult(host.app)

    assert (report.code, report.bad()) == (0, [])
    assert report.find("asks scripted for").level == "ok"
    assert report.find("revision 0001").level == "ok"
    assert report.find("The file is in WAL mode").level == "ok"
    assert report.find("synchronous is FULL").level == "ok"
    assert report.find("No answer waits").level == "ok"


def test_it_goes_line_by_line(host: Host) -> None:
    done = run(host.app, "doctor")

    assert done.exit_code == 0
    assert "\ntables … ok\n    The tables are at revision 0001" in done.stdout
    assert "\ndeployment … skipped\n    Not asked.\n        With --url" in done.stdout
    assert done.stdout.endswith("\nNothing is broken.\n")
    assert "\x1b[" not in done.stdout


def test_it_changes_nothing(host: Host, worker: Worker) -> None:
    worker.ask()
    before = stored(worker), sorted(os.listdir(host.app.instance_path))
    report = consult(host.app)

    assert report.code == 0
    assert (stored(worker), sorted(os.listdir(host.app.instance_path))) == before


def stored(worker: Worker) -> dict[str, list[Any]]:
    """Every row of the chat's."""

    with worker.database.read() as session:
        tables = metadata_for("sqlite").sorted_tables

        return {t.name: [tuple(row) for row in session.execute(select(t))] for t in tables}


def test_a_site_that_was_never_opened_is_left_without_a_file(make_site: MakeSite) -> None:
    app = make_site(SECRET_KEY=None)
    report = consult(app)

    assert report.code == 0
    assert report.find("There is no file").help == "The first chat request makes it."
    assert report.find("SECRET_KEY is not set").level == "warning"
    assert report.levels("tables") == report.levels("sweep") == {"skipped"}
    assert os.listdir(app.instance_path) == []


def test_the_demo_is_said(make_site: MakeSite) -> None:
    report = consult(make_site(chat=ChatStream()))

    assert report.find("answered by the demo").level == "warning"
    assert report.code == 0


def test_a_provider_without_a_key(make_site: MakeSite) -> None:
    report = consult(make_site(chat=ChatStream(), CHATSTREAM_PROVIDER="openai"))

    assert report.find("cannot answer: there is no key").level == "failure"
    assert report.code == 1


def test_a_short_secret_key(make_site: MakeSite) -> None:
    assert consult(make_site(SECRET_KEY="dev")).find("short enough").level == "warning"


def test_a_database_that_is_behind(
    make_site: MakeSite, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_site(sqlite_url)
    before = consult(app)
    assert run(app, "db", "upgrade").exit_code == 0

    with monkeypatch.context() as patch:
        patch.setattr(version, "REVISIONS", ("0001", "0002"))
        behind = consult(app)

    assert "Run `flask chatstream db upgrade`" in str(before.find("There is no file").help)
    assert "Run `flask chatstream db upgrade`" in str(behind.find("at revision 0001;").help)
    assert (before.code, behind.code, consult(app).code) == (1, 1, 0)


def test_one_that_is_upgraded_by_itself_is_no_failure(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "REVISIONS", ("0001", "0002"))
    report = consult(host.app)

    assert report.find("at revision 0001;").level == "warning"
    assert report.levels("sweep") == {"skipped"}


def test_a_table_that_is_gone(host: Host) -> None:
    with host.state.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE chatstream_chunk")

    assert consult(host.app).find("chatstream_chunk is gone").level == "failure"


def test_a_file_that_is_not_in_wal_mode(make_site: MakeSite, sqlite_url: str) -> None:
    app = make_site(sqlite_url)
    run(app, "db", "upgrade")
    report = consult(app)

    assert "flask chatstream db wal" in str(report.find("journal mode is delete").help)
    assert report.code == 0
    run(app, "db", "wal")
    assert consult(app).levels("durability") == {"ok"}


def test_a_site_that_keeps_its_journal_in_memory(make_site: MakeSite, sqlite_url: str) -> None:
    app = make_site(sqlite_url)
    run(app, "db", "upgrade")

    with app.app_context():
        event.listen(app.extensions["sqlalchemy"].engine, "connect", keep_in_memory)
        app.extensions["sqlalchemy"].engine.dispose()
        app.extensions["chatstream"].close()

    report = consult(app)
    assert report.find("journal mode is memory").level == "failure"
    assert report.code == 1


def keep_in_memory(connection: sqlite3.Connection, record: Any) -> None:
    connection.execute("PRAGMA journal_mode = MEMORY")


def test_a_site_in_memory(make_site: MakeSite) -> None:
    report = consult(make_site("sqlite://"))

    assert report.find("database is in memory").level == "warning"
    assert report.code == 0


def test_a_database_that_is_away_is_one_failure(make_site: MakeSite) -> None:
    report = consult(make_site("postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"))

    assert [f.level for _, f in report.findings].count("failure") == 1
    assert report.find("does not answer").level == "failure"
    assert "secret" not in report.output
    assert report.code == 1


def orphan(worker: Worker, seconds: float, **values: Any) -> None:
    """An answer of a worker elsewhere, whose lease has been over for so long."""

    asked = worker.ask(worker="elsewhere:1:2:3")
    over = datetime.now(UTC) - timedelta(seconds=seconds)
    mine = Generation.id == asked.generation_id
    worker.database.write(
        lambda connection: connection.execute(
            update(Generation).where(mine).values(**{"lease_until": over, **values})
        )
    )


def test_an_answer_that_nobody_has_settled(host: Host, worker: Worker) -> None:
    orphan(worker, 20, status="running")
    assert consult(host.app).code == 0, "a sweeper may still come around"

    orphan(worker, 120, status="running")
    report = consult(host.app)

    assert report.find("nobody has settled: 1,").level == "failure"
    assert report.code == 1


def test_a_question_that_no_queue_takes(host: Host, worker: Worker) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=600)
    orphan(worker, 0, lease_until=None)
    assert consult(host.app).code == 0

    orphan(worker, 0, lease_until=None, created_at=long_ago)
    assert consult(host.app).find("nobody has settled: 1,").level == "failure"


def test_rows_that_nobody_has_removed(host: Host, worker: Worker) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    key = {"owner": "ann", "key": "k", "conversation_id": "c" * 32, "created_at": long_ago}
    at = int(long_ago.timestamp() * 1e6)
    chunk = {"generation_id": 1, "seq": 1, "start": 0, "text": "old", "at": at}
    assert consult(host.app).levels("sweep") == {"ok"}

    def store(connection: Any) -> None:
        connection.execute(insert(Submission).values(key))
        connection.execute(insert(journal_for("sqlite")).values(chunk))

    worker.database.write(store)
    report = consult(host.app)

    assert report.find("older than a day: 1.").level == "warning"
    assert report.find("The journal holds rows").level == "warning"
    assert report.code == 0


def test_a_check_that_breaks_off_hides_no_other(host: Host) -> None:
    """The version table says head, and what the sweep reads has another shape."""

    with host.state.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE chatstream_generation RENAME lease_until TO lease")

    report = consult(host.app)

    assert report.find("The check broke off").level == "failure"
    assert report.levels("durability") == {"ok"}
    assert report.levels("deployment") == {"skipped"}


def test_another_process_that_holds_the_file(make_site: MakeSite, sqlite_url: str) -> None:
    app = make_site(sqlite_url)
    run(app, "db", "upgrade")
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    try:
        report = consult(app)
    finally:
        holder.close()

    assert report.levels("durability") == {"failure"}
    assert report.levels("tables") == {"ok"}


def test_every_check_is_explained(host: Host) -> None:
    names = {name for name, _ in consult(host.app).findings} - {"deployment"}
    text = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text()

    assert names
    assert not {name for name in names if f"| {name} |" not in text}
