"""Hooks and signals: each is documented with an example, and the example does what the docs say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Flask, session

import flask_chatstream
from flask_chatstream import ChatStream, ProviderError, signals
from flask_chatstream.testing import scripted
from tests.hosts import HTML, chat
from tests.services import ROOT

DOCS = (ROOT / "docs" / "extending.md").read_text()
SIGNALS = {name: v for name, v in vars(signals).items() if isinstance(v, NamedSignal)}
PAGES = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
#: Signals of a part that is not there yet: nobody sends them.
SILENT = {"reaction_changed"}

Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    """A site with a chat that is its own under the name that the examples import."""

    mine = ChatStream()
    monkeypatch.setattr(flask_chatstream, "chatstream", mine)
    app = Flask("shop", instance_path=str(tmp_path / "instance"))
    app.config.update(TESTING=True, SECRET_KEY="for tests only")

    yield app

    if "chatstream" in app.extensions:
        app.extensions["chatstream"].close()


@pytest.fixture
def run(site: Flask) -> Run:
    """Runs the example of a section, then registers its chat; gives the example's names."""

    def run(section: str) -> dict[str, Any]:
        text = DOCS.partition(f"{section}\n")[2]
        (snippet,) = re.findall(r"```python\n(.*?)```", text, re.S)[:1]
        names: dict[str, Any] = {"__name__": "site_of_mine"}
        exec(compile(snippet, section, "exec"), names)
        site.register_blueprint(flask_chatstream.chatstream)

        return names

    return run


def test_every_public_method_is_documented() -> None:
    own = {name for name in vars(ChatStream) if not name.startswith("_")} - {"routing"}

    assert {name for name in own if f"chatstream.{name}" not in PAGES} == set()


def test_the_hooks_of_the_page_are_there() -> None:
    assert set(re.findall(r"^### `(\w+)`: ", DOCS, re.M)) <= set(vars(ChatStream))


def test_every_signal_is_documented_and_no_other() -> None:
    section = DOCS.partition("## Signals")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(SIGNALS)


def test_an_owner_of_the_sites_own(site: Flask, run: Run) -> None:
    run("### `owner_loader`: whose chat is it")
    site.add_url_rule("/in/<name>", "enter", lambda name: session.update(member=name) or "")

    with scripted(site) as script:
        ada, bob = site.test_client(), site.test_client()
        ada.get("/in/ada")
        bob.get("/in/bob")
        answered = chat(ada)
        url = f"/chat/c/{answered['conversation_id']}"

        assert [answer.owner for answer in script.answers()] == ["ada"]
        assert [c.get(url, headers=HTML).status_code for c in (ada, bob)] == [200, 404]


def test_a_rule_of_the_sites_own(site: Flask, run: Run) -> None:
    run("### `authorize`: may they do this")
    site.add_url_rule("/editor", "editor", lambda: session.update(is_editor=True) or "")

    with scripted(site):
        client = site.test_client()
        url = f"/chat/c/{chat(client)['conversation_id']}/delete"
        assert client.post(url, headers=HTML).status_code == 403

        client.get("/editor")
        assert client.post(url, headers=HTML).status_code == 303


def test_what_the_model_should_know(site: Flask, run: Run) -> None:
    run("### `context`: what the model should know for this question")

    with scripted(site) as script:
        chat(site.test_client(), "When are you open?")
        chat(site.test_client(), "Who are you?")
        asked, other = script.provider.requests

    assert asked.instructions is not None
    assert "The workshop is open from 10 to 16." in asked.instructions
    assert other.instructions is None


def test_a_model_of_the_sites_own(site: Flask, run: Run) -> None:
    site.config["CHATSTREAM_PROVIDER"] = "parrot"
    run("### `provider`: a model of your own")

    assert chat(site.test_client(), "Polly wants it")["content"] == "Polly wants it "


def test_the_receivers_of_the_example_hear(site: Flask, run: Run) -> None:
    names = run("## Signals")
    heard: list[tuple[Any, ...]] = names["heard"]

    with scripted(site) as script, site.app_context():
        script.provider.enqueue("All of it.")
        script.provider.enqueue(ProviderError("overloaded"))
        first = flask_chatstream.chatstream.ask("Hi", owner="ann").wait(10)
        second = flask_chatstream.chatstream.ask("Hi", first.conversation_id, owner="ann").wait(10)

    assert sorted(heard, key=str) == sorted(
        [
            ("conversation_created", "shop", "ann"),
            ("message_created", "shop", "user"),
            ("generation_started", "shop", first.generation_id),
            ("generation_finished", "shop", "completed"),
            ("message_created", "shop", "user"),
            ("generation_started", "shop", second.generation_id),
            ("generation_failed", "shop", "overloaded"),
        ],
        key=str,
    )


def test_signals_carry_what_is_documented_with_the_app_as_sender(site: Flask) -> None:
    site.register_blueprint(flask_chatstream.chatstream)
    heard: dict[str, set[str]] = {}

    def listen(name: str) -> Callable[..., None]:
        def receive(sender: object, **values: Any) -> None:
            assert sender is site
            heard[name] = set(values)

        return receive

    receivers = {name: listen(name) for name in SIGNALS}

    for name, signal in SIGNALS.items():
        signal.connect(receivers[name], sender=site)

    with scripted(site) as script:
        script.provider.enqueue("All of it.")
        script.provider.enqueue(ProviderError("overloaded"))
        client = site.test_client()

        for _ in range(2):
            client.post("/chat/c", data={"content": "Hi"}, headers=HTML)
            script.answers()

    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", DOCS, re.M)
    wanted = {name: set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", row))) for name, row in rows}

    assert heard == {name: values for name, values in wanted.items() if name not in SILENT}


def test_asking_in_a_view_and_in_a_command(site: Flask, run: Run) -> None:
    """The example makes an app of its own; its view and command are called there."""

    app: Flask = run("## Asking from your own code")["app"]
    app.instance_path = site.instance_path
    app.testing = True

    with scripted(app) as script:
        client = app.test_client()
        conversation = client.post("/summary").get_json()["conversation"]
        script.answers()
        assert client.get(f"/chat/c/{conversation}", headers=HTML).status_code == 200

        script.provider.enqueue("Twelve ", "orders.")
        result = app.test_cli_runner().invoke(args=["report"])
        assert (result.exit_code, result.output) == (0, "Twelve orders.")

        script.provider.enqueue("Twel", ProviderError("overloaded"))
        result = app.test_cli_runner().invoke(args=["report"])
        assert result.exit_code == 1
        assert "The report is not whole: overloaded" in result.output
