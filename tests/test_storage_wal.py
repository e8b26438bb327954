"""`flask chatstream db wal`: on request only, in words, and never half done."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, text

from flask_chatstream import ChatStream, migrate
from flask_chatstream.storage import wal


@pytest.fixture
def make_site(tmp_path):
    apps = []

    def make(url=None, **config):
        app = Flask("site", instance_path=str(tmp_path / "instance"))
        app.config.update(config)

        if url is not None:
            app.config["SQLALCHEMY_DATABASE_URI"] = url
            SQLAlchemy(app)

        app.register_blueprint(ChatStream())
        apps.append(app)

        return app

    yield make

    for app in apps:
        app.extensions["chatstream"].close()


def run(app, *arguments):
    return app.test_cli_runner().invoke(args=["chatstream", "db", *arguments])


def mode(path):
    connection = sqlite3.connect(path)

    try:
        return connection.execute("PRAGMA journal_mode").fetchone()[0]
    finally:
        connection.close()


def open_elsewhere(path, *statements):
    """Another process that has executed these on the file and waits."""

    source = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]: connection.execute(statement).fetchone()\n"
        "print(flush=True)\n"
        "sys.stdin.readline()"
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(path), *statements], stdin=pipe, stdout=pipe, text=True
    )
    process.stdout.readline()

    return process


def test_a_sites_file_is_turned_once_and_stays_so(make_site, sqlite_url, tmp_path):
    path = tmp_path / "host.sqlite"
    app = make_site(sqlite_url)
    assert run(app, "upgrade").exit_code == 0
    assert mode(path) == "delete"

    first, second = run(app, "wal"), run(app, "wal")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout.startswith(f"{path} is in WAL mode now.\n")
    assert "no longer wait for each other" in first.stdout
    assert "-wal and a -shm file" in first.stdout
    assert second.stdout == f"{path} is in WAL mode already.\n"
    assert mode(path) == "wal"


def test_the_sites_connections_keep_their_own_settings(make_site, sqlite_url):
    app = make_site(sqlite_url)
    run(app, "upgrade")

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine

        with engine.connect() as connection:
            before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()

        assert before != wal.WAIT_MS
        wal.turn_to_wal(engine)

        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == before

        engine.dispose()


def test_a_site_that_begins_by_itself(make_site, sqlite_url, tmp_path):
    app = make_site(sqlite_url)
    run(app, "upgrade")

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
        event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
        assert wal.turn_to_wal(engine) == (tmp_path / "host.sqlite", True)
        engine.dispose()


@pytest.mark.parametrize(
    "held",
    [
        ["BEGIN IMMEDIATE"],
        ["BEGIN", "SELECT * FROM chatstream_message"],
        ["PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT"],
    ],
    ids=["writes", "reads", "exclusive"],
)
def test_a_file_that_another_process_holds(make_site, sqlite_url, tmp_path, monkeypatch, held):
    monkeypatch.setattr(wal, "WAIT_MS", 50)
    path = tmp_path / "host.sqlite"
    app = make_site(sqlite_url)
    run(app, "upgrade")
    process = open_elsewhere(path, *held)
    result = run(app, "wal")

    assert result.exit_code == 1
    assert f"Another process is using {path} just now" in result.stderr
    assert "nothing was changed" in result.stderr

    process.communicate("\n")
    assert mode(path) == "delete"
    assert run(app, "wal").exit_code == 0
    assert mode(path) == "wal"


def test_a_process_that_only_has_the_file_open_goes_on(make_site, sqlite_url, tmp_path):
    path = tmp_path / "host.sqlite"
    app = make_site(sqlite_url)
    run(app, "upgrade")
    process = open_elsewhere(path, "SELECT 1 FROM chatstream_message")

    assert run(app, "wal").exit_code == 0
    process.communicate("\n")
    assert process.returncode == 0 and mode(path) == "wal"


def test_a_file_that_is_read_only(make_site, sqlite_url, tmp_path):
    run(make_site(sqlite_url), "upgrade")
    path = tmp_path / "host.sqlite"
    result = run(make_site(f"sqlite:///file:{path}?mode=ro&uri=true"), "wal")

    assert result.exit_code == 1
    assert "readonly" in result.stderr
    assert mode(path) == "delete"


def test_a_file_that_is_not_there_is_not_made(make_site, sqlite_url, tmp_path):
    result = run(make_site(sqlite_url), "wal")

    assert result.exit_code == 1
    assert "db upgrade` first" in result.stderr
    assert not (tmp_path / "host.sqlite").exists()


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
@pytest.mark.parametrize("key", ["SQLALCHEMY_DATABASE_URI", "CHATSTREAM_DATABASE_URI"])
def test_a_database_in_memory_has_no_file(make_site, uri, key):
    app = make_site(uri) if key.startswith("SQL") else make_site(**{key: uri})
    result = run(app, "wal")

    assert result.exit_code == 1
    assert "in memory" in result.stderr and "no file" in result.stderr


def test_the_embedded_file_is_so_from_its_first_connection(make_site):
    app = make_site()
    run(app, "upgrade")

    assert "is in WAL mode already" in run(app, "wal").stdout


@pytest.mark.db
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_other_databases_need_none(make_site, kind, request):
    app = make_site(request.getfixturevalue(f"{kind}_url"))
    result = run(app, "wal")

    assert result.exit_code == 1
    assert "SQLite files only" in result.stderr and "nothing to do" in result.stderr

    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_what_was_there_stays(make_site, sqlite_url, tmp_path):
    app = make_site(sqlite_url)
    run(app, "upgrade")

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine

        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE host (name TEXT)"))
            connection.execute(text("INSERT INTO host VALUES ('kept')"))

        engine.dispose()
        run(app, "wal")

        with engine.connect() as connection:
            assert connection.scalar(text("SELECT name FROM host")) == "kept"

        assert migrate.is_current(engine)
        engine.dispose()
