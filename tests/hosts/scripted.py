"""A bare app with the chat for the tests of the views, and a model that says what it is told."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from flask_chatstream import ChatStream, migrate
from flask_chatstream.models import Generation, Message
from flask_chatstream.providers.scripted import ScriptedProvider
from flask_chatstream.sse import Decoder, ServerSentEvent
from flask_chatstream.state import State
from tests.waiting import wait_for

API = "/chat/api/v1"
HTMX = {"HX-Request": "true"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SSE = {"Accept": "text/event-stream"}


@dataclass(frozen=True)
class Host:
    """A host's app, the chat in it, and the model that answers."""

    app: Flask
    chat: ChatStream
    provider: ScriptedProvider

    @property
    def state(self) -> State:
        """The chat's state, bound to the app."""

        with self.app.app_context():
            state: State = self.app.extensions["chatstream"]

        return state

    def client(self) -> FlaskClient:
        """Another browser, with cookies of its own."""

        return self.app.test_client()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """What is stored."""

        with self.state.database.read() as session:
            yield session

    def message(self, id: str) -> Message:
        """A stored message."""

        with self.read() as session:
            return session.query(Message).filter_by(id=id).one()

    def generation(self, id: int) -> Generation:
        """A stored generation."""

        with self.read() as session:
            return session.query(Generation).filter_by(id=id).one()

    def wait_text(self, client: FlaskClient, message_id: str, text: str) -> None:
        """Wait until so much of an answer is stored."""

        wait_for(lambda: content(client, message_id)["content"] == text)

    def wait_end(self, message_id: str) -> Message:
        """Wait until an answer has ended; the message."""

        wait_for(lambda: self.message(message_id).status != "generating")

        return self.message(message_id)


@contextmanager
def open_host(
    folder: Path,
    prepare: Callable[[Flask], object] | None = None,
    *,
    reset: bool = True,
    **config: Any,
) -> Iterator[Host]:
    """A host; ``prepare`` may set it up before the chat is registered.

    Its embedded database has its tables already, which saves every test the migration; without
    ``reset`` it is the one that is there.
    """

    (folder / "instance").mkdir(exist_ok=True)

    if reset:
        (folder / "instance" / "chatstream.sqlite3").write_bytes(_migrated())

    provider = ScriptedProvider()
    chat = ChatStream(provider=provider)
    app = Flask("host", instance_path=str(folder / "instance"))
    app.config.update(TESTING=True, SECRET_KEY="for tests only", **config)

    if prepare is not None:
        prepare(app)

    app.register_blueprint(chat)

    yield Host(app, chat, provider)

    app.extensions["chatstream"].close()
    wait_for(lambda: not any(t.name == "Runtime._run" for t in threading.enumerate()))


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/chatstream.sqlite3")
        migrate.upgrade(engine)
        engine.dispose()

        return Path(folder, "chatstream.sqlite3").read_bytes()


@contextmanager
def serve(app: Flask) -> Iterator[str]:
    """The app on a real socket, a thread for each request; gives its address."""

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    yield f"http://127.0.0.1:{server.server_port}"

    server.shutdown()
    thread.join()
    server.server_close()


def begin(client: FlaskClient, text: str = "Hi", **body: Any) -> dict[str, Any]:
    """Ask in a new conversation without waiting for the answer; the ids."""

    conversation = client.post(f"{API}/conversations", json={}).get_json()["id"]

    return ask_in(client, conversation, text, **body)


def ask_in(client: FlaskClient, conversation: str, text: str = "Hi", **body: Any) -> dict[str, Any]:
    """Ask in a conversation without waiting for the answer; the ids."""

    body = {"content": text, "generate": True, **body}
    response = client.post(f"{API}/conversations/{conversation}/messages", json=body)
    assert response.status_code == 201, response.get_data(as_text=True)

    return _json(response)


def chat(client: FlaskClient, text: str = "Hi", **body: Any) -> dict[str, Any]:
    """Ask and wait for the answer."""

    response = client.post(f"{API}/chat", json={"message": text, "stream": False, **body})
    assert response.status_code == 200, response.get_data(as_text=True)

    return _json(response)


def content(client: FlaskClient, message_id: str) -> dict[str, Any]:
    """A message as ``/messages/<id>/content`` has it."""

    return _json(client.get(f"{API}/messages/{message_id}/content"))


def _json(response: TestResponse) -> dict[str, Any]:
    value: dict[str, Any] = response.get_json()

    return value


def events_of(response: TestResponse) -> Iterator[ServerSentEvent]:
    """The events of a stream as they come."""

    decoder = Decoder()

    for chunk in response.iter_encoded():
        yield from decoder.feed(chunk)


def event_json(event: ServerSentEvent) -> dict[str, Any]:
    """An event's data; its id stands beside the values."""

    value: dict[str, Any] = json.loads(event.data)

    return value


def together(act: Callable[[], object], count: int) -> None:
    """Do something in threads that start at once."""

    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait(10)
        act()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(30)
