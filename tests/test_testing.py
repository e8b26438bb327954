"""What the package gives to the tests of a site: held here to what the docs say of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flask import Flask

from flask_chatstream import ChatStream, ConfigurationError, chatstream, generation_finished
from flask_chatstream.testing import Pause, scripted
from tests.hosts import API, HTML, begin
from tests.services import ROOT

#: The files of the example, as the docs show them.
FILES = re.compile(r"```py\n# (\w+\.py)\n(.*?)```", re.S)

NO_THREADS = """
import threading


def test_nothing_is_left():
    assert threading.enumerate() == [threading.main_thread()]
"""


def _site(folder: Path, *chats: ChatStream) -> Flask:
    app = Flask("host", instance_path=str(folder))
    app.config.update(TESTING=True, SECRET_KEY="for tests only")

    for chat in chats or (chatstream,):
        app.register_blueprint(chat)

    return app


def _threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def test_a_script_answers_and_is_asked_what_it_got(tmp_path: Path) -> None:
    app, before = _site(tmp_path), _threads()

    with scripted(app) as chat:
        chat.provider.enqueue("From nine ", "to five.")
        app.test_client().post("/chat/c", data={"content": "When?"}, headers=HTML)
        (answer,) = chat.answers()

    assert (answer.status, answer.text) == ("completed", "From nine to five.")
    assert chat.provider.requests[0].messages[-1].content == "When?"
    assert _threads() == before


def test_it_answers_for_every_chat_whatever_its_provider(tmp_path: Path) -> None:
    second = ChatStream("second", url_prefix="/second", provider="openai")
    app = _site(tmp_path, ChatStream(), second)

    with scripted(app) as chat:
        for prefix in ("chat", "second"):
            app.test_client().post(f"/{prefix}/c", data={"content": "Hi"})

        assert [answer.text for answer in chat.answers()] == ["A scripted answer."] * 2
        assert [answer.mount for answer in chat.answers()] == ["chatstream", "second"]


def test_receivers_have_heard_of_the_answers(tmp_path: Path) -> None:
    app, heard = _site(tmp_path), threading.Event()
    slow = threading.Event()

    def receive(sender: Flask, **values: object) -> None:
        slow.wait(0.2)
        heard.set()

    with scripted(app) as chat, generation_finished.connected_to(receive, sender=app):
        begin(app.test_client())
        chat.answers()

        assert heard.is_set()


def test_one_app_for_many_tests(tmp_path: Path) -> None:
    """A fixture ``app`` of the whole session: each test begins anew, on what is stored."""

    app, before = _site(tmp_path), _threads()

    for said in ("One.", "Two."):
        with scripted(app) as chat:
            chat.provider.enqueue(said)
            begin(app.test_client())

            assert [answer.text for answer in chat.answers()] == [said]

        assert _threads() == before

    page = app.test_client().get(f"{API}/conversations")
    assert page.status_code == 200
    app.extensions["chatstream"].close()


def test_an_answer_that_nobody_ended_is_stopped(tmp_path: Path) -> None:
    app, before, gate = _site(tmp_path), _threads(), Pause()

    with scripted(app) as chat:
        chat.provider.enqueue("Half", gate, "whole")
        begin(app.test_client())
        gate.wait_reached()

        with pytest.raises(TimeoutError):
            chat.answers(timeout=0.05)

    assert _threads() == before

    with scripted(app) as chat, app.app_context():
        again = chatstream.ask("Hi", owner="ann").wait(10)
        assert again.text == "A scripted answer."


def test_the_sites_own_provider_is_back_afterwards(tmp_path: Path) -> None:
    app = _site(tmp_path)

    with scripted(app):
        pass

    with app.app_context():
        assert "demo" in chatstream.ask("Who are you?", owner="ann").wait(20).text.lower()

    app.extensions["chatstream"].close()


def test_an_app_without_a_chat() -> None:
    with pytest.raises(ConfigurationError, match="register one"), scripted(Flask("bare")):
        pass


def _run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    result = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
    )
    assert result.returncode == 0, result.stdout

    return result.stdout


@pytest.mark.parametrize("plugin", [(), ("-p", "pytest_flask.plugin")], ids=["bare", "flask"])
def test_the_documented_suite_of_a_site(tmp_path: Path, plugin: tuple[str, ...]) -> None:
    files = dict(FILES.findall((ROOT / "docs" / "extending.md").read_text()))
    assert set(files) == {"shop.py", "conftest.py", "test_help.py"}

    for name, source in {**files, "test_nothing_left.py": NO_THREADS}.items():
        (tmp_path / name).write_text(source)

    said = _run(tmp_path, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *plugin)
    count = files["test_help.py"].count("def test_") + 1

    assert f"{count} passed" in said


def test_the_package_imports_no_pytest(tmp_path: Path) -> None:
    _run(tmp_path, "-c", "import sys, flask_chatstream; assert 'pytest' not in sys.modules")


def test_the_module_works_without_pytest(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pytest'] = None; from flask_chatstream.testing import scripted"
    _run(tmp_path, "-W", "error", "-c", code)
