"""Asking from the site's own code: in a view, a thread, a command; and what it gets in its hand."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from flask import Flask

from flask_chatstream import (
    Answer,
    ChatStream,
    Conflict,
    InvalidRequest,
    NotFound,
    ProviderError,
    ShuttingDown,
    SignInRequired,
)
from flask_chatstream.providers.scripted import Pause, ScriptedProvider
from tests.hosts import HTML, Host, chat, open_host

#: A site with a command; the model stands still after its first words unless told otherwise.
COMMAND = """
import os
from flask import Flask
from flask_chatstream import ChatStream
from flask_chatstream.events import Finished, TextDelta


class Slow:
    name = "slow"

    def stream(self, request, cancellation):
        yield TextDelta("Half of it, ")
        if request.messages[-1].content == "long":
            cancellation.wait(60)
        yield TextDelta("and the rest.")
        yield Finished("stop")


app = Flask("site", instance_path=os.environ["INSTANCE"])
app.config.update(SECRET_KEY="x")
chat = ChatStream(provider=Slow())
app.register_blueprint(chat)


@app.cli.command()
def whole():
    print(chat.ask("short", owner="ann").wait(30).text)


@app.cli.command()
def early():
    answer = chat.ask("long", owner="ann", key="report")
    print(next(answer.stream()))
"""

#: The same in a process of greenlets.
GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from flask import Flask
from flask_chatstream import ChatStream
from flask_chatstream.testing import Pause, scripted

app = Flask("site", instance_path=sys.argv[1])
app.config.update(TESTING=True, SECRET_KEY="x")
chat = ChatStream()
app.register_blueprint(chat)

with scripted(app) as script, app.app_context():
    gate = Pause()
    script.provider.enqueue("One, ", gate, "two.")
    script.provider.enqueue(Pause())
    answer = chat.ask("Hi", owner="ann")
    pieces = answer.stream(10)
    assert next(pieces) == "One, "
    gevent.spawn(gate.release)
    assert list(pieces) == ["two."]
    held = chat.ask("Hi", owner="ann")

    try:
        held.wait(0.05)
    except TimeoutError:
        held.stop()

    assert [a.status for a in script.answers()] == ["completed", "cancelled"]
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


def ask(host: Host, text: str = "Why?", *args: str, **values: str) -> Answer:
    with host.app.app_context():
        return host.chat.ask(text, *args, **{"owner": "ann", **values})


def test_an_answer_is_waited_for_and_read(host: Host) -> None:
    host.provider.enqueue("Because ", "it is.")
    answer = ask(host, title="On the sky", model="gpt-x")

    assert answer.wait(10) is answer
    assert (answer.status, answer.text, answer.error_code) == ("completed", "Because it is.", None)
    assert host.message(answer.message_id).parent_id == answer.user_message_id
    assert host.generation(answer.generation_id).model == "gpt-x"
    assert host.provider.requests[0].messages[-1].content == "Why?"


def test_it_is_a_frozen_value_that_shows_no_more_than_its_ids(host: Host) -> None:
    answer = ask(host).wait(10)

    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.owner = "bob"  # type: ignore[misc]

    assert "State" not in repr(answer)
    assert {answer: 1}[dataclasses.replace(answer)] == 1


def test_it_is_read_while_it_is_written(host: Host) -> None:
    gate = Pause()
    host.provider.enqueue("One, ", gate, "two.")
    answer = ask(host)
    pieces = answer.stream(10)

    assert next(pieces) == "One, "
    assert (answer.status, answer.text) == ("generating", "One, ")

    gate.release()
    assert "".join(pieces) == "two."
    assert "".join(answer.stream()) == "One, two."


def test_patience_ends_and_the_answer_goes_on(host: Host) -> None:
    gate = Pause()
    host.provider.enqueue("One, ", gate, "two.")
    answer = ask(host)
    gate.wait_reached()

    with pytest.raises(TimeoutError, match="still being written"):
        answer.wait(0.05)

    gate.release()
    assert answer.wait(10).text == "One, two."


def test_an_answer_that_fails_keeps_its_text_and_says_why(host: Host) -> None:
    host.provider.enqueue("Half an ans", ProviderError("overloaded"))
    answer = ask(host).wait(10)

    assert (answer.status, answer.error_code) == ("error", "overloaded")
    assert answer.text == "Half an ans"


def test_it_can_be_stopped(host: Host) -> None:
    host.provider.enqueue("One, ", Pause(), "two.")
    answer = ask(host)
    assert next(answer.stream(10)) == "One, "
    answer.stop()

    assert answer.status == "cancelled"
    assert answer.wait(10).text == "One, "
    answer.stop()


def test_a_conversation_goes_on(host: Host) -> None:
    first = ask(host).wait(10)
    second = ask(host, "And then?", first.conversation_id).wait(10)

    assert second.conversation_id == first.conversation_id
    assert len(host.provider.requests[1].messages) == 3


def test_the_same_key_asks_nothing_anew(host: Host) -> None:
    first = ask(host, key="daily-report").wait(10)

    assert ask(host, key="daily-report") == first
    assert len(host.provider.requests) == 1


def test_an_answer_that_another_process_writes(host: Host, tmp_path: Path) -> None:
    """Two runtimes on one database; the second finds the answer by its key."""

    gate = Pause()
    host.provider.enqueue("Over ", gate, "there.")
    ask(host, key="k")
    gate.wait_reached()
    site = Flask("host", instance_path=host.app.instance_path)
    site.config.update(TESTING=True, SECRET_KEY="x")
    other = ChatStream(provider=ScriptedProvider())
    site.register_blueprint(other)

    with site.app_context():
        elsewhere = other.ask("Why?", owner="ann", key="k")

    pieces = elsewhere.stream(10)
    assert next(pieces) == "Over "
    gate.release()
    assert "".join(pieces) == "there."
    assert elsewhere.status == "completed"
    site.extensions["chatstream"].close()


def test_a_thread_of_the_sites_own(host: Host) -> None:
    """The work needs the app's context; what it hands on does not."""

    found: list[Answer] = []
    thread = threading.Thread(target=lambda: found.append(ask(host)))
    thread.start()
    thread.join()

    assert found[0].wait(10).text == "A scripted answer."


@pytest.mark.parametrize(
    ("text", "values", "error", "code"),
    [
        ("  ", {}, InvalidRequest, "empty_message"),
        ("x" * 40_000, {}, InvalidRequest, "message_too_long"),
        ("Hi", {"key": "x" * 65}, InvalidRequest, "invalid_key"),
        ("Hi", {"owner": ""}, InvalidRequest, "invalid_request"),
        ("Hi", {"owner": "a\0"}, InvalidRequest, "invalid_request"),
        ("Hi", {"model": "m" * 129}, InvalidRequest, "invalid_request"),
        ("Hi", {"title": "t" * 256}, InvalidRequest, "invalid_request"),
        ("Hi", {"conversation": "0" * 32}, NotFound, "not_found"),
        ("Hi", {"conversation": "a\0"}, NotFound, "not_found"),
    ],
)
def test_what_cannot_be_asked(
    host: Host, text: str, values: dict[str, str], error: type, code: str
) -> None:
    with pytest.raises(error) as raised:
        ask(host, text, **values)

    assert raised.value.code == code
    assert host.provider.requests == []


def test_a_foreign_conversation_and_one_that_is_being_answered(host: Host) -> None:
    gate = Pause()
    host.provider.enqueue(gate)
    answer = ask(host)

    with pytest.raises(NotFound):
        ask(host, "Hi", answer.conversation_id, owner="bob")

    with pytest.raises(Conflict):
        ask(host, "Hi", answer.conversation_id)

    gate.release()
    answer.wait(10)


def test_a_process_that_goes_takes_nothing_new(host: Host) -> None:
    host.state.runtime.draining = True

    with pytest.raises(ShuttingDown):
        ask(host)


def test_a_deleted_conversation(host: Host) -> None:
    client = host.client()
    host.chat.owner_loader(lambda: "ann")
    answer = ask(host).wait(10)
    client.post(f"/chat/c/{answer.conversation_id}/delete", headers=HTML)

    with pytest.raises(NotFound):
        _ = answer.text


def test_outside_of_a_request_somebody_must_own_it(host: Host) -> None:
    with host.app.app_context(), pytest.raises(TypeError, match="needs an owner"):
        host.chat.ask("Why?")

    with pytest.raises(RuntimeError, match="application context"):
        host.chat.ask("Why?", owner="ann")


def _add_view(app: Flask, mine: ChatStream) -> None:
    @app.post("/summary")
    def summary() -> str:
        return mine.ask("Summarise").wait(10).conversation_id


def test_in_a_view_it_is_the_visitors(tmp_path: Path) -> None:
    """Even when this is the visitor's first: the cookie goes out with the site's own answer."""

    with open_host(tmp_path) as host:
        _add_view(host.app, host.chat)
        client = host.client()
        conversation = client.post("/summary").text

        assert client.get(f"/chat/c/{conversation}", headers=HTML).status_code == 200
        assert host.client().get(f"/chat/c/{conversation}", headers=HTML).status_code == 404
        assert client.post("/summary").text != conversation
        assert chat(client)["status"] == "completed"


def test_in_a_view_nobody_may_be_signed_in(tmp_path: Path) -> None:
    with (
        open_host(tmp_path, CHATSTREAM_ANONYMOUS="sign_in") as host,
        host.app.test_request_context("/"),
        pytest.raises(SignInRequired),
    ):
        host.chat.ask("Why?")


def _command(tmp_path: Path, name: str) -> str:
    (tmp_path / "site_of_mine.py").write_text(COMMAND)
    environment = {**os.environ, "INSTANCE": str(tmp_path / "instance")}
    command = [sys.executable, "-W", "error", "-m", "flask", "--app", "site_of_mine", name]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )

    assert (result.returncode, result.stderr) == (0, "")

    return result.stdout.strip()


def test_a_command_waits_for_its_answer(tmp_path: Path) -> None:
    assert _command(tmp_path, "whole") == "Half of it, and the rest."


def test_a_command_that_does_not_wait_leaves_an_honest_end(tmp_path: Path) -> None:
    """What it had shown is kept, and the next process that looks says that it was interrupted."""

    assert _command(tmp_path, "early") == "Half of it,"

    with open_host(tmp_path) as host:
        answer = ask(host, "long", key="report")

        assert (answer.status, answer.error_code) == ("error", "interrupted")
        assert answer.text == "Half of it, "
        assert host.provider.requests == []


def test_in_greenlets(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", GREENLETS, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert (result.returncode, result.stderr) == (0, "")


def test_pieces_are_many(host: Host) -> None:
    gates = [Pause(), Pause()]
    host.provider.enqueue("a", gates[0], "b", gates[1], "c")
    pieces = ask(host).stream(10)
    seen = []

    for gate in gates:
        seen += islice(pieces, 1)
        gate.release()

    assert [*seen, *pieces] == ["a", "b", "c"]
