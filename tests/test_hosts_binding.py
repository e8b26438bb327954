"""What single hosts have shown about the moment and the database that the chat is bound to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, func, insert, select, update

from flask_chatstream import ChatStream, Conversation, migrate
from flask_chatstream.models import Base, Folder
from flask_chatstream.providers.scripted import ScriptedProvider
from flask_chatstream.storage import rounds
from tests.hosts import API, HTML, chat
from tests.hosts.matrix import HOSTS
from tests.hosts.site import Site, open_site, tables

Open = Callable[[str], Site]


@pytest.fixture
def open_named(tmp_path: Path, sqlite_url: str) -> Iterator[Open]:
    """Builds a host of the matrix by its name, and does no more."""

    with ExitStack() as stack:
        kinds = {kind.name: kind for kind in HOSTS}

        yield lambda name: stack.enter_context(open_site(kinds[name], tmp_path, sqlite_url))


def test_a_factory_that_makes_its_tables_in_the_context_of_the_registration(
    open_named: Open,
) -> None:
    site = open_named("context_factory")
    site.ask(site.client(), "Hello?")

    assert site.wait_end().content == "A scripted answer."


def test_a_context_that_was_pushed_before_the_registration(open_named: Open) -> None:
    """Flask pushes no other one for the requests and commands of that thread."""

    site = open_named("pushed_context")
    assert site.client().get("/chat/", headers=HTML).status_code == 503
    assert "0001" in site.run("chatstream", "db", "upgrade")
    assert site.client().get("/chat/", headers=HTML).status_code == 200


def test_a_first_page_with_the_widget_in_a_context_that_was_pushed_before(
    open_named: Open,
) -> None:
    app = open_named("pushed_context").app
    app.add_url_rule("/help", "help", lambda: render_template_string("{{ chatstream_widget() }}"))

    assert "<chat-widget" in app.test_client().get("/help").text


def test_tables_that_were_made_before_the_registration(
    open_named: Open, caplog: pytest.LogCaptureFixture
) -> None:
    site = open_named("create_all_at_import")
    client = site.client()
    assert client.get("/chat/", headers=HTML).status_code == 503
    assert "Run `flask chatstream db upgrade`" in caplog.text

    site.create_tables()
    assert client.get("/chat/", headers=HTML).status_code == 200


def test_apps_of_one_process_keep_to_themselves(open_named: Open) -> None:
    site = open_named("several_apps")
    office, intranet = site.module.neighbours
    site.create_tables()
    site.store_row()
    asked = site.ask(site.client(), "In the shop")
    site.wait_end()

    with intranet.app_context():
        assert migrate.our_tables() <= tables(site.module.intranet_db.engine)

    client = intranet.test_client()
    assert client.get("/help/").status_code == 200
    assert client.get(asked.replace("/chat/", "/help/")).status_code == 404
    assert "chatstream" not in office.extensions

    with office.app_context():
        site.module.db.drop_all()

    assert tables(site.engine) == migrate.our_tables()


def test_a_session_with_a_bind_writes_and_joins_our_rows(open_named: Open) -> None:
    site = open_named("chat_bind")
    site.create_tables()

    now = datetime.now(UTC)
    times = {"last_message_at": now, "created_at": now, "updated_at": now}

    with site.context():
        session, poll = site.db.session, site.module.Poll
        session.add(Conversation(owner="ada", title="Will it rain?", **times))
        session.add(poll(question="Will it rain?"))
        session.flush()
        joined = select(func.count()).select_from(Conversation)
        joined = joined.join(poll, poll.question == Conversation.title)
        assert session.scalar(joined) == 1

        folder = {"id": "1", "owner": "ada", "mount": "chatstream", "name": "Sky"}
        session.execute(insert(Folder.__table__).values(**folder, created_at=now))
        session.execute(update(Conversation).values(title="It will.", folder_id="1"))
        session.commit()

    with site.engine.connect() as connection:
        assert connection.scalar(select(Conversation.title)) == "It will."


def test_apps_that_share_a_db_have_binds_of_their_own(tmp_path: Path) -> None:
    db = SQLAlchemy()
    paths = {name: f"sqlite:///{tmp_path}/{name}.sqlite3" for name in ("default", "a", "b")}
    apps = [_bound(db, tmp_path, paths, bind) for bind in ("a", "b", None)]

    for app in apps:
        with app.app_context():
            db.create_all()

    for app, count in zip(apps, (1, 2, 3), strict=True):
        for _ in range(count):
            assert chat(app.test_client())["status"] == "completed"

    for app, count in zip(apps, (1, 2, 3), strict=True):
        with app.app_context():
            assert db.session.query(Conversation).count() == count

        app.extensions["chatstream"].close()

    assert "bind_key" not in Base.metadata.info


def _bound(db: SQLAlchemy, folder: Path, paths: dict[str, str], bind: str | None) -> Flask:
    app = Flask(f"site {bind}", instance_path=str(folder / "instance"))
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI=paths["default"])
    app.config["SQLALCHEMY_BINDS"] = {name: paths[name] for name in ("a", "b")}
    app.config["CHATSTREAM_DATABASE_BIND"] = bind
    db.init_app(app)
    app.register_blueprint(ChatStream(provider=ScriptedProvider()))

    return app


def test_create_all_makes_our_tables_in_the_chats_own_bind_only(tmp_path: Path) -> None:
    db = SQLAlchemy()
    paths = {name: f"sqlite:///{tmp_path}/{name}.sqlite3" for name in ("default", "a", "b")}
    first, second = (_bound(db, tmp_path, paths, bind) for bind in ("a", "b"))

    for app in (second, first):
        with app.app_context():
            pass

    with first.app_context():
        db.create_all()
        found = {key for key in (None, "a", "b") if tables(db.engines[key])}
        assert found == {"a"}


@pytest.mark.parametrize("own", [False, True], ids=["the site's engine", "an engine on its file"])
def test_a_transaction_of_the_sites_that_holds_the_file_is_named(
    tmp_path: Path, own: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The question took five seconds, then it was refused without a hint."""

    monkeypatch.setattr(rounds, "BUSY_MS", 100)
    app, is_counting = _counting(tmp_path, own)
    client = app.test_client()
    assert chat(client)["status"] == "completed"
    is_counting.set()
    refused = client.post(f"{API}/chat", json={"message": "Hi", "stream": False})

    assert refused.status_code == 503
    assert refused.get_json()["error"]["code"] == "storage_unavailable"
    (told,) = [record for record in caplog.records if record.name == "flask_chatstream.host"]
    assert "the site's own db.session has an open transaction" in told.getMessage()

    caplog.clear()
    hold = create_engine(app.config["SQLALCHEMY_DATABASE_URI"])

    with hold.connect() as connection:  # somebody else's: nothing to say
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        is_counting.clear()
        assert client.post(f"{API}/chat", json={"message": "Hi"}).status_code == 503

    hold.dispose()
    assert "db.session" not in caplog.text
    app.extensions["chatstream"].close()


def _counting(folder: Path, own: bool) -> tuple[Flask, threading.Event]:
    """A site that counts its visits: written before a request, committed behind it."""

    path = f"sqlite:///{folder / 'site.db'}"
    app = Flask("site", instance_path=str(folder / "instance"))
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI=path, CHATSTREAM_AUTO_UPGRADE=True)
    app.config["CHATSTREAM_DATABASE_URI"] = path if own else None
    db, is_counting = SQLAlchemy(app), threading.Event()

    class Visit(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)

    @app.before_request
    def count() -> None:
        if is_counting.is_set():
            db.session.add(Visit())
            db.session.flush()

    app.teardown_request(lambda error: db.session.commit())
    app.register_blueprint(ChatStream(provider=ScriptedProvider()))

    with app.app_context():
        db.create_all()

    return app, is_counting
