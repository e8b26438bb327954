"""What belongs to one app: which database, when it is touched, and a process that was forked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, inspect

from flask_chatstream import ChatStream
from flask_chatstream.providers.scripted import Pause, ScriptedProvider
from flask_chatstream.signals import (
    conversation_created,
    generation_failed,
    generation_finished,
    generation_started,
    message_created,
)
from flask_chatstream.state import State, get_state
from tests.hosts import API, HTML, Host, begin, chat, open_host
from tests.waiting import wait_for
from tests.workers import run_python


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


def _site(folder: Path, **config: object) -> tuple[Flask, SQLAlchemy]:
    app = Flask("host", instance_path=str(folder / "instance"))
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'site.db'}")
    app.config.update(config)
    db = SQLAlchemy(app)
    app.register_blueprint(ChatStream(provider=ScriptedProvider()))

    return app, db


def _tables(path: Path) -> list[str]:
    engine = create_engine(f"sqlite:///{path}")
    names = inspect(engine).get_table_names()
    engine.dispose()

    return names


def test_nothing_happens_before_the_first_chat_request(host: Host) -> None:
    state: State = host.app.extensions["chatstream"]

    with pytest.raises(RuntimeError, match="push an app context first"):
        _ = state.database

    with host.app.app_context():
        assert get_state() is state
        assert state.database.engine.pool.checkedout() == 0


def test_a_database_of_the_chats_own(tmp_path: Path) -> None:
    own = tmp_path / "own.db"
    app, _ = _site(tmp_path, TESTING=True, CHATSTREAM_DATABASE_URI=f"sqlite:///{own}")
    chat(app.test_client())
    app.extensions["chatstream"].close()

    assert "chatstream_message" in _tables(own)
    assert not (tmp_path / "site.db").exists()


@pytest.mark.parametrize(
    ("config", "is_made"),
    [
        ({}, False),
        ({"TESTING": True}, True),
        ({"DEBUG": True}, True),
        ({"CHATSTREAM_AUTO_UPGRADE": True}, True),
        ({"TESTING": True, "CHATSTREAM_AUTO_UPGRADE": False}, False),
    ],
)
def test_tables_in_the_sites_database(
    tmp_path: Path, config: dict[str, object], is_made: bool
) -> None:
    app, _ = _site(tmp_path, **config)
    client = app.test_client()
    api = client.get(f"{API}/conversations")
    page = client.get("/chat/", headers=HTML)
    app.extensions["chatstream"].close()

    if is_made:
        assert (api.status_code, page.status_code) == (200, 200)
        assert "chatstream_message" in _tables(tmp_path / "site.db")
    else:
        assert (api.status_code, page.status_code) == (503, 503)
        assert api.get_json()["error"]["code"] == "not_set_up"
        assert "The chat is not ready yet." in page.get_data(as_text=True)


def test_a_site_that_is_upgraded_while_it_runs(tmp_path: Path) -> None:
    app, _ = _site(tmp_path)
    client = app.test_client()
    assert client.get("/chat/").status_code == 503
    result = app.test_cli_runner().invoke(args=["chatstream", "db", "upgrade"])

    assert result.exit_code == 0, result.output
    assert client.get("/chat/").status_code == 200
    app.extensions["chatstream"].close()


def test_the_sites_rows_are_not_committed_by_ours(tmp_path: Path) -> None:
    app, db = _site(tmp_path, TESTING=True)

    class Order(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)

    with app.app_context():
        db.create_all()

    @app.get("/order")
    def order() -> str:
        db.session.add(Order(id=1))
        get_state().ready()

        with get_state().database.read() as session:
            session.connection()

        db.session.rollback()

        return str(db.session.query(Order).count())

    assert app.test_client().get("/order").get_data(as_text=True) == "0"
    app.extensions["chatstream"].close()


def test_the_signals_of_a_chat(host: Host) -> None:
    heard: list[tuple[str, dict[str, object]]] = []
    receivers = []

    for signal in (
        conversation_created,
        message_created,
        generation_started,
        generation_finished,
        generation_failed,
    ):

        def hear(app: Flask, name: str = signal.name, **values: object) -> None:
            assert app is host.app
            heard.append((name, values))

        receivers.append(hear)
        signal.connect(hear, sender=host.app)

    host.chat.owner_loader(lambda: "ada")
    asked = chat(host.client())
    host.client().post(f"{API}/chat", json={"message": "Hi", "stream": False})
    names = [name for name, _ in heard]

    assert names[:4] == [
        "conversation-created",
        "message-created",
        "generation-started",
        "generation-finished",
    ]
    assert heard[0][1] == {"conversation_id": asked["conversation_id"], "owner": "ada"}
    assert heard[1][1]["message_id"] == asked["user_message_id"]
    assert heard[3][1] == {
        "conversation_id": asked["conversation_id"],
        "message_id": asked["message_id"],
        "generation_id": asked["generation_id"],
        "status": "completed",
        "error_code": None,
    }


def test_a_receiver_runs_in_the_context_of_its_app(host: Host) -> None:
    """An answer was ended from another app of the process, and receivers saw that app's context."""

    heard: list[tuple[str, str]] = []
    done = threading.Event()

    def hear(app: Flask, **values: object) -> None:
        heard.append((app.name, current_app.name))
        done.set()

    pause = Pause()
    host.provider.enqueue("The first half", pause)

    with host.app.app_context():
        answer = host.chat.ask("Hi", owner="ada")

    pause.wait_reached()

    with generation_failed.connected_to(hear), Flask("intranet").app_context():
        answer.stop()
        assert done.wait(10)

    assert heard == [("host", "host")]


def test_a_replay_tells_nothing_twice(host: Host) -> None:
    heard: list[str] = []

    def hear(app: Flask, **values: object) -> None:
        heard.append(str(values["message_id"]))

    message_created.connect(hear, sender=host.app)
    client = host.client()
    client.get("/chat/")
    body = {"message": "Hi", "stream": False}

    for _ in range(2):
        client.post(f"{API}/chat", json=body, headers={"Idempotency-Key": "k"})

    assert len(heard) == 1


def test_a_receiver_that_fails_stops_nothing(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    def fail(app: Flask, **values: object) -> None:
        raise LookupError("on purpose")

    for signal in (conversation_created, generation_started, generation_finished):
        signal.connect(fail, sender=host.app)

    assert chat(host.client())["status"] == "completed"
    wait_for(lambda: len([r for r in caplog.records if "receiver" in r.getMessage()]) == 3)


FORKED = """
import os, sys
from pathlib import Path
from tests.hosts import chat, open_host
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
with open_host(folder) as host:
    first = chat(host.client(), "before")
    worker = host.state.runtime.worker
    child = os.fork()
    if child == 0:
        code = 1
        try:
            second = chat(host.client(), "in the child")
            ours = host.state.runtime.worker
            code = 0 if second["content"] == first["content"] and ours != worker else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert chat(host.client(), "after")["content"] == first["content"]
    sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_starts_over(tmp_path: Path) -> None:
    run_python(FORKED, str(tmp_path / "forked"), patched=False)


PATCHED = """
import sys
from pathlib import Path
import gevent
from tests.hosts import chat, open_host
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
with open_host(folder) as host:
    found = [gevent.spawn(chat, host.client(), str(n)) for n in range(20)]
    gevent.joinall(found, timeout=30, raise_error=True)
    assert {job.value["content"] for job in found} == {"A scripted answer."}
"""


def test_a_patched_process(tmp_path: Path) -> None:
    run_python(PATCHED, str(tmp_path / "patched"), patched=True)


def test_closing_twice_is_closing_once(host: Host) -> None:
    begin(host.client())
    host.state.close()
    host.state.close()
