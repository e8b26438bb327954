"""A site with Sentry's SDK whose chat fails in many ways; prints what it would have sent away.

Run as a program: ``python -m tests.sentry_site FOLDER``. Every secret is put together at run time,
since source lines are sent along.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import sentry_sdk
from flask import Flask
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from flask_chatstream import ChatStream, signals
from flask_chatstream.events import Event, Finished, TextDelta
from flask_chatstream.providers import Cancellation, ChatRequest
from flask_chatstream.providers.openai_chat import OpenAIChat
from tests.fakes.behaviour import Behaviour
from tests.fakes.model_server import ModelServer
from tests.queued_site import init_celery
from tests.waiting import wait_for

TEXT, KEY = "-".join(("canary", "text")), "sk-" + "-".join(("canary", "key"))
sent: list[bytes] = []


class Kept(Transport):
    """Sends nothing away."""

    def capture_envelope(self, envelope: Envelope) -> None:
        sent.append(envelope.serialize())


class Failing:
    """Fails with what people have written in its hands."""

    name = "failing"

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        text, key = request.messages[-1].content, KEY
        yield TextDelta(text)

        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError(f"{text} {key}") from error


class Patient:
    """Writes until it is stopped."""

    name = "patient"

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        yield TextDelta(request.messages[-1].content)
        cancellation.wait(60)
        cancellation.raise_if_cancelled()
        yield Finished("stop")


def fail(app: Flask, **ids: Any) -> None:
    """A receiver of the site's that reads what it should not, and fails."""

    text = TEXT
    raise LookupError(text)


def make_app(folder: str, *chats: ChatStream, **config: Any) -> Flask:
    app = Flask("shop", instance_path=folder)
    app.config.update(SECRET_KEY="for tests only", CHATSTREAM_AUTO_UPGRADE=True, **config)

    for chat in chats:
        app.register_blueprint(chat, url_prefix=f"/{chat.name}")

    return app


def main(folder: str) -> None:
    sentry_sdk.init(dsn="https://public@localhost/1", transport=Kept)

    with ModelServer() as server:
        server.enqueue(Behaviour(status=500))
        openai = OpenAIChat(KEY, server.base_url, max_retries=0)
        app = make_app(
            folder,
            ChatStream("failing", provider=Failing()),
            ChatStream("patient", provider=Patient()),
            ChatStream("openai", provider=openai),
        )
        client = app.test_client()

        for name in ("failing", "openai"):
            # The request is alive, with its body, while its answer fails.
            if name == "openai":
                signals.generation_failed.connect(fail)

            told = client.post(f"/{name}/api/v1/chat", json={"message": TEXT, "stream": False})
            assert told.status_code == 502, told.get_json()

    signals.generation_failed.disconnect(fail)
    api = "/patient/api/v1"
    id = client.post(f"{api}/conversations", json={}).get_json()["id"]
    question = {"content": TEXT, "generate": True}
    asked = client.post(f"{api}/conversations/{id}/messages", json=question).get_json()
    state = app.extensions["chatstream"]
    wait_for(lambda: state.runtime.running())
    client.post(f"{api}/messages/{asked['message_id']}/cancel")
    wait_for(lambda: not state.runtime.running())
    state.runtime.tasks.spawn(fail, app)
    wait_for(lambda: not any("fail" in t.name for t in threading.enumerate()))
    state.close()
    fail_in_a_queue(f"{folder}/queue")
    sentry_sdk.flush()
    events = [e for raw in sent for e in Envelope.deserialize(raw).items if e.type == "event"]
    print(json.dumps({"events": [e.payload.json for e in events], "leaks": find_leaks()}))


def fail_in_a_queue(folder: str) -> None:
    """The same in a task of Celery's."""

    celery = {"broker_url": "memory://", "task_always_eager": True}
    queued = ChatStream("queued", provider=Failing())
    app = make_app(folder, queued, CHATSTREAM_RUNNER="celery", CELERY=celery)
    init_celery(app)
    question = {"message": TEXT, "stream": False}
    assert app.test_client().post("/queued/api/v1/chat", json=question).status_code == 502
    app.extensions["chatstream"].close()


def find_leaks() -> list[str]:
    return [s for raw in sent for s in (TEXT, KEY) if s in raw.decode()]


if __name__ == "__main__":
    main(sys.argv[1])
