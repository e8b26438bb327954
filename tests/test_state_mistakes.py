"""A mistake in the settings: the site goes on without its chat, and is told what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect

from flask_chatstream import ChatStream, ConfigurationError
from flask_chatstream.providers.scripted import ScriptedProvider
from flask_chatstream.testing import scripted
from tests.faults.rig import free_port
from tests.hosts import API, HTML, HTMX, chat
from tests.services import ROOT
from tests.waiting import wait_for

LOGGER = "flask_chatstream.standing"
MISTAKES = {
    "provider": ({"CHATSTREAM_PROVIDER": "nope"}, "There is no provider 'nope'"),
    "bind": ({"CHATSTREAM_DATABASE_BIND": "chats"}, "is 'chats'; binds are None"),
    "address": ({"CHATSTREAM_DATABASE_URI": "sesame"}, "is no address of a database"),
    "port": ({"CHATSTREAM_DATABASE_URI": "mysql+pymysql://a:sesame@h:x/d"}, "is no address"),
    "database": ({"CHATSTREAM_DATABASE_URI": "nope://a:sesame@h/d"}, "not know: 'nope'"),
    "driver": ({"CHATSTREAM_DATABASE_URI": "oracle+cx_oracle://a:sesame@h/d"}, "No module named"),
    "wake": ({"CHATSTREAM_WAKE": "redis"}, "needs CHATSTREAM_REDIS_URL"),
    "key": ({"CHATSTREAM_TITEL": "Help"}, "Did you mean CHATSTREAM_TITLE?"),
}


def make_site(folder: Path, **config: Any) -> Flask:
    """A site whose chat is registered before its settings are final, as many do it."""

    app = Flask("host", instance_path=str(folder / "instance"))
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'site.db'}")
    app.register_blueprint(ChatStream())
    app.config.update(config)
    app.extensions["made_db"] = db = SQLAlchemy(app)

    class Order(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)

    @app.get("/")
    def home() -> str:
        names = ("widget()", "panel()", "assets()")

        return render_template_string("Home " + "".join(f"{{{{ chatstream_{n} }}}}" for n in names))

    return app


@pytest.fixture(params=MISTAKES.values(), ids=MISTAKES)
def mistake(request: pytest.FixtureRequest) -> tuple[dict[str, Any], str]:
    found: tuple[dict[str, Any], str] = request.param

    return found


def test_the_site_goes_on_without_its_chat(
    tmp_path: Path, mistake: tuple[dict[str, Any], str], caplog: pytest.LogCaptureFixture
) -> None:
    config, words = mistake
    client = make_site(tmp_path, **config).test_client()
    pages = [client.get("/") for _ in range(3)]
    page = client.get("/chat/", headers=HTML)
    act = client.post("/chat/c", data={"content": "Hi", "live": "1"}, headers=HTMX)
    api = client.post(f"{API}/chat", json={"message": "Hi"})
    (told,) = [record for record in caplog.records if record.name == LOGGER]

    assert [(page.status_code, page.text) for page in pages] == [(200, "Home ")] * 3
    assert [r.status_code for r in (page, act, api)] == [503] * 3
    assert api.get_json()["error"]["code"] == "not_set_up"

    for response in (page, act, api):
        assert "The chat is not set up on this site." in response.text
        assert words not in response.text

    assert told.levelname == "ERROR"
    assert words in told.getMessage()
    assert "sesame" not in caplog.text


def test_a_developer_reads_the_words_on_the_page(
    tmp_path: Path, mistake: tuple[dict[str, Any], str]
) -> None:
    config, words = mistake
    client = make_site(tmp_path, DEBUG=True, **config).test_client()

    assert client.get("/").text == "Home "
    assert words in client.get(f"{API}/conversations").get_json()["error"]["message"]


def test_the_sites_tests_fail_with_the_words(
    tmp_path: Path, mistake: tuple[dict[str, Any], str]
) -> None:
    """They failed with a `LookupError` of Flask's."""

    config, words = mistake
    app = make_site(tmp_path, TESTING=True, **config)

    with pytest.raises(ConfigurationError) as raised:
        app.test_client().get("/")

    assert words in str(raised.value)
    assert words in app.test_client().get(f"{API}/healthz").get_json()["error"]["message"]

    with pytest.raises(ConfigurationError), scripted(app):
        pass


def test_a_command_says_it_and_the_sites_own_go_on(
    tmp_path: Path, mistake: tuple[dict[str, Any], str]
) -> None:
    config, words = mistake
    app = make_site(tmp_path, **config)
    app.cli.command("create-all")(lambda: app.extensions["made_db"].create_all())
    runner = app.test_cli_runner()

    for command in (["db", "upgrade"], ["db", "check"], ["doctor"], ["owner", "revoke", "ada"]):
        done = runner.invoke(args=["chatstream", *command])
        assert done.exit_code > 0
        assert words in done.output
        assert "Traceback" not in done.output

    assert runner.invoke(args=["create-all"]).exit_code == 0

    with app.app_context():
        assert "order" in inspect(app.extensions["made_db"].engine).get_table_names()


def test_code_of_the_sites_that_asks_gets_the_words(tmp_path: Path) -> None:
    app = make_site(tmp_path, CHATSTREAM_PROVIDER="nope")
    mine: ChatStream = app.blueprints["chatstream"]  # type: ignore[assignment]

    with app.app_context(), pytest.raises(ConfigurationError, match="no provider 'nope'"):
        mine.ask("Hi", owner="ada")


def test_what_is_mended_before_the_first_request_is_taken_up(tmp_path: Path) -> None:
    """A factory may push a context before it is done."""

    app = make_site(tmp_path, CHATSTREAM_PROVIDER="acme", CHATSTREAM_AUTO_UPGRADE=True)

    with app.app_context():
        app.extensions["made_db"].create_all()

    mine: ChatStream = app.blueprints["chatstream"]  # type: ignore[assignment]
    mine.provider("acme")(lambda: ScriptedProvider("From Acme."))

    assert chat(app.test_client())["content"] == "From Acme."
    app.extensions["chatstream"].close()


def test_an_extension_that_fails_takes_nothing_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_site(tmp_path)
    app.extensions["sqlalchemy"] = object()  # knows no engines
    client = app.test_client()

    assert client.get("/").text == "Home "
    assert client.get("/chat/").status_code == 503
    (told,) = [record for record in caplog.records if record.name == LOGGER]
    assert "The chat cannot be set up here: AttributeError" in told.getMessage()
    assert told.exc_info is not None


SITE = """
from flask import Flask, render_template_string
from flask_chatstream import chatstream

app = Flask(__name__)
app.config.update(SECRET_KEY="x", CHATSTREAM_PROVIDER="nope")
app.register_blueprint(chatstream)
app.add_url_rule("/", "home", lambda: render_template_string("Home {{ chatstream_widget() }}"))
"""
SERVERS = {
    "gunicorn": ["gunicorn", "mistaken:app", "--threads", "4", "--bind", "127.0.0.1:{port}"],
    "flask run": ["flask", "--app", "mistaken", "run", "--port", "{port}"],
}


@contextmanager
def running(folder: Path, command: list[str]) -> Iterator[httpx.Client]:
    """The site under a real server, whose output goes into ``log``."""

    (folder / "mistaken.py").write_text(SITE)
    port = str(free_port())
    command = [sys.executable, "-m", *(part.format(port=port) for part in command)]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}

    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )

    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            wait_for(lambda: _answers(client), 30, 0.1)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/").status_code > 0
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_a_server_serves_the_site_and_logs_the_mistake_once(
    tmp_path: Path, command: list[str]
) -> None:
    """Every page was 500 with a `LookupError`, and the mistake stood nowhere."""

    with running(tmp_path, command) as client:
        pages = {client.get("/").text for _ in range(5)}
        refused = client.get("/chat/", headers=HTML)

    log = (tmp_path / "log").read_text()
    assert pages == {"Home "}
    assert refused.status_code == 503
    assert "The chat is not set up on this site." in refused.text
    assert log.count("There is no provider 'nope'; known are demo, openai.") == 1
    assert "Traceback" not in log
