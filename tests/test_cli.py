"""``flask chatstream db``: what is printed, and the exit codes that deploy scripts rely on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, inspect, make_url, select

from flask_chatstream import ChatStream, migrate
from flask_chatstream.migrate import version
from flask_chatstream.migrate.drift import find_drift
from flask_chatstream.models import Conversation
from flask_chatstream.storage import Database
from tests.engines import KINDS
from tests.services import missing
from tests.test_models_values import make_rows, odd, store


@pytest.fixture
def db(runner):
    def run(*arguments, **extra):
        return runner.invoke(args=["chatstream", "db", *arguments], **extra)

    return run


@pytest.fixture
def engine(app):
    with app.app_context():
        return app.extensions["chatstream"].database.engine


class Site:
    """A site whose tables are its own affair: runs ``flask chatstream db ...``."""

    def __init__(self, url, folder, **config):
        self.app = Flask("site", instance_path=str(folder / "instance"))
        self.app.config.update(SQLALCHEMY_DATABASE_URI=url, SECRET_KEY="x", **config)
        SQLAlchemy(self.app)
        self.app.register_blueprint(ChatStream())
        self.app.add_url_rule("/", "index", lambda: "The site's own page")

    def __call__(self, *arguments):
        return self.app.test_cli_runner().invoke(args=["chatstream", "db", *arguments])

    def close(self):
        self.app.extensions["chatstream"].close()

        with self.app.app_context():
            self.app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def open_site():
    sites = []

    def make(*arguments, **config):
        sites.append(Site(*arguments, **config))

        return sites[-1]

    yield make

    for site in sites:
        site.close()


def set_revision(engine, revision):
    with engine.begin() as connection:
        connection.execute(version.version_table.update().values(version_num=revision))


def test_upgrade_tells_each_step_once(db, engine):
    first, second = db("upgrade"), db("upgrade")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout == "0001 (newest)\n"
    assert "Upgraded 0001: Conversations, messages" in first.stderr
    assert second.stderr == ""
    assert migrate.is_current(engine)


def test_check_exits_with_1_until_the_tables_are_current(db):
    before = db("check")
    db("upgrade")
    after = db("check")

    assert (before.exit_code, after.exit_code) == (1, 0)
    assert "Run `flask chatstream db upgrade`" in before.stderr
    assert after.stdout == "0001 (newest)\n"


def test_a_newer_database_is_left_alone(db, engine):
    db("upgrade")
    set_revision(engine, "9999")
    assert db("current").stdout == "9999\n"

    for command, code in ((["check"], 2), (["upgrade"], 1), (["downgrade", "base", "--yes"], 1)):
        result = db(*command)
        assert result.exit_code == code
        assert "newer version" in result.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_exit_codes_of_check(open_site, kind, request, tmp_path, monkeypatch):
    url = request.getfixturevalue(f"{kind}_url")
    db = open_site(url, tmp_path)
    codes = {"missing": db("check")}
    db("upgrade")
    codes["current"] = db("check")
    engine = create_engine(url)

    with monkeypatch.context() as patch:
        patch.setattr(version, "REVISIONS", ("0001", "0002"))
        codes["behind"] = db("check")

    set_revision(engine, "9999")
    codes["ahead"] = db("check")
    set_revision(engine, "0001")

    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE chatstream_chunk")

    codes["gone"] = db("check")
    engine.dispose()

    assert {why: result.exit_code for why, result in codes.items()} == {
        "missing": 1,
        "current": 0,
        "behind": 1,
        "ahead": 2,
        "gone": 2,
    }
    assert "Run `flask chatstream db upgrade`" in codes["missing"].stderr
    assert "Run `flask chatstream db upgrade`" in codes["behind"].stderr
    assert "Install that version" in codes["ahead"].stderr
    assert "chatstream_chunk is gone" in codes["gone"].stderr

    assert db("stamp", "base").exit_code == db("upgrade").exit_code == 0
    assert db("check").exit_code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_sql_for_a_database_that_is_away_makes_the_tables(open_site, kind, request, tmp_path):
    url = make_url(request.getfixturevalue(f"{kind}_url"))
    away = url.set(host="127.0.0.1", port=1, query={}) if url.host else url
    result = open_site(away.render_as_string(False), tmp_path)("upgrade", "base:head", "--sql")

    assert result.exit_code == 0, result.output
    feed(url, result.stdout)

    engine = create_engine(url)

    with engine.connect() as connection:
        assert find_drift(connection) == []

    engine.dispose()
    assert open_site(url.render_as_string(False), tmp_path)("check").exit_code == 0


def feed(url, script):
    """What a site's database administrator does with the printed SQL."""

    kind = url.get_backend_name()

    if kind == "sqlite":
        connection = sqlite3.connect(url.database)
        connection.executescript(script)
        connection.close()
        return

    login = [f"--host={url.host}", f"--port={url.port}"] if url.port else []
    socket = [f"--socket={url.query['unix_socket']}"] if "unix_socket" in url.query else []
    command = {
        "postgresql": ["psql", "-qX", "-v", "ON_ERROR_STOP=1", *login, "-U", str(url.username)],
        "mysql": ["mariadb", *login, *socket, f"--user={url.username}"],
    }[kind]

    if shutil.which(command[0]) is None:
        missing(command[0], "its client feeds the printed SQL")

    names = {"postgresql": "PGPASSWORD", "mysql": "MYSQL_PWD"}
    secret = {names[kind]: url.password} if url.password else {}
    done = subprocess.run(
        [*command, str(url.database)],
        input=script,
        text=True,
        capture_output=True,
        env={**os.environ, **secret},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", KINDS)
def test_down_to_nothing_and_up_again_with_rows(open_site, kind, request, tmp_path):
    url = request.getfixturevalue(f"{kind}_url")
    db = open_site(url, tmp_path)
    assert db("upgrade").exit_code == 0
    engine = create_engine(url)
    database = Database(engine)
    rows = make_rows(odd)
    rows["chatstream_generation"]["cost"] = None
    store(database, rows)

    assert db("downgrade", "base", "--yes").exit_code == 0
    assert inspect(engine).get_table_names() == [migrate.VERSION_TABLE]
    assert db("check").exit_code == 1
    assert db("upgrade").exit_code == db("check").exit_code == 0

    with engine.connect() as connection:
        assert find_drift(connection) == []
        assert connection.execute(select(Conversation)).all() == []

    store(database, rows)
    database.writer.close()
    engine.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_a_site_that_is_behind_tells_its_owner_and_not_its_visitors(
    open_site, kind, request, tmp_path, caplog, monkeypatch
):
    """An upgrade of the package before that of the tables: the log has the command."""

    url = request.getfixturevalue(f"{kind}_url")
    db = open_site(url, tmp_path, CHATSTREAM_AUTO_UPGRADE=False)
    db("upgrade")
    client = db.app.test_client()

    with monkeypatch.context() as patch:
        patch.setattr(version, "REVISIONS", ("0001", "0002"))
        page = client.get("/chat/", headers={"Accept": "text/html"})
        api = client.get("/chat/api/v1/conversations")
        asked = client.post("/chat/api/v1/chat", json={"message": "Hi"})

    for response in (page, api, asked):
        words = response.get_data(as_text=True)
        assert response.status_code == 503
        assert "The chat is not ready yet." in words
        assert not [word for word in ("0001", "0002", "table", "upgrade") if word in words.lower()]

    assert api.get_json()["error"]["code"] == "not_set_up"
    assert "at revision 0001" in caplog.text and "needs 0002" in caplog.text
    assert "Run `flask chatstream db upgrade`" in caplog.text
    assert client.get("/chat/api/v1/conversations").status_code == 200
    assert client.get("/").get_data(as_text=True) == "The site's own page"


def test_downgrade_asks_first(db, engine):
    db("upgrade")

    refused = db("downgrade", "base", input="n\n")
    assert refused.exit_code == 1
    assert migrate.is_current(engine)

    agreed = db("downgrade", "base", input="y\n")
    assert agreed.exit_code == 0
    assert "Took back 0001" in agreed.stderr
    assert migrate.current(engine) is None


def test_downgrade_without_a_question(db, engine):
    db("upgrade")

    assert db("downgrade", "base", "--yes").exit_code == 0
    assert migrate.current(engine) is None
    assert db("downgrade").exit_code == 2


def test_current_of_an_empty_database(db):
    result = db("current")

    assert result.exit_code == 0
    assert result.stdout == "none (the chat's tables are not in the database)\n"


def test_stamp_writes_the_revision_only(db, engine):
    assert db("stamp", "head").stdout == "0001 (newest)\n"
    assert db("stamp", "base").stdout.startswith("none")
    assert db("stamp", "nowhere").exit_code == 1


def test_sql_is_printed_and_nothing_done(db, engine):
    result = db("upgrade", "--sql")

    assert result.exit_code == 0
    assert "CREATE TABLE chatstream_message" in result.stdout
    assert "(newest)" not in result.stdout
    assert migrate.current(engine) is None


def test_a_database_that_is_away(tmp_path):
    app = Flask("host", instance_path=str(tmp_path))
    app.config["CHATSTREAM_DATABASE_URI"] = "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"
    app.register_blueprint(ChatStream())
    result = app.test_cli_runner().invoke(args=["chatstream", "db", "check"])

    assert result.exit_code == 2
    assert "does not answer" in result.stderr
    assert "secret" not in result.output
    app.extensions["chatstream"].close()


def test_the_group_keeps_its_name(tmp_path):
    app = Flask("host", instance_path=str(tmp_path))
    app.register_blueprint(ChatStream("support"), name="help")
    runner = app.test_cli_runner()

    assert "upgrade" in runner.invoke(args=["chatstream", "db", "--help"]).stdout
    assert "Commands of the chat" in runner.invoke(args=["--help"]).stdout
    app.extensions["chatstream"].close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://ada:sesame@127.0.0.1:1/chat", "refused"),
        ("mysql+pymysql://ada:sesame@127.0.0.1:1/chat", "refused"),
        (None, "unable to open database file"),
    ],
    ids=["postgres", "mariadb", "folder"],
)
def test_why_the_database_is_away(tmp_path, url, said):
    """The commands said no more than that it does not answer."""

    (tmp_path / "instance").write_text("No folder.")
    app = Flask("site", instance_path=str(tmp_path / "instance"))
    app.config.update(SECRET_KEY="x", CHATSTREAM_DATABASE_URI=url)
    app.register_blueprint(ChatStream())
    place = url.replace("sesame", "***") if url else f"sqlite:///{tmp_path}/instance/"

    for command, code in ((["db", "check"], 2), (["db", "current"], 1), (["db", "upgrade"], 1)):
        done = app.test_cli_runner().invoke(args=["chatstream", *command])

        assert done.exit_code == code
        assert done.output.count("\n") == 1
        assert done.output.startswith("Error: The chat's ")
        assert said in done.output
        assert "sesame" not in done.output

        if command != ["db", "upgrade"]:
            assert place in done.output

    app.extensions["chatstream"].close()
