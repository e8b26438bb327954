"""Every URL of the chat, with a good request for each; a route that is not here fails a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.hosts import Host, ask_in, begin

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
OWN, FOREIGN, NOBODY = range(3)


@dataclass(frozen=True)
class Route:
    """A route; ``status`` is what its owner, somebody else and nobody get."""

    method: str
    rule: str
    status: tuple[int, int, int]
    query: str = ""
    json: dict[str, Any] | None = None
    form: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a test of it is called."""

        return f"{self.method} {self.rule}"

    @property
    def is_of_object(self) -> bool:
        """Whether it names a conversation or message."""

        return "<conversation_id>" in self.rule or "<message_id>" in self.rule


@dataclass(frozen=True)
class Made:
    """What an owner has: a conversation with an answer in it."""

    conversation_id: str
    user_message_id: str
    message_id: str


_MINE = (200, 404, 401)
_API = "/api/v1"
_ASK = {"content": "And then?"}
ROUTES = (
    Route("GET", "/", (200, 200, 401)),
    Route("GET", "/c/<conversation_id>", _MINE),
    Route("GET", "/c/<conversation_id>/older", _MINE),
    Route("GET", "/c/<conversation_id>/events", _MINE),
    Route("GET", "/list", (200, 200, 401)),
    Route("GET", "/token", (200, 200, 200)),
    Route("GET", "/chatstream-static/<path:filename>", (200, 200, 200)),
    Route("POST", "/c", (303, 303, 401), form=_ASK),
    Route("POST", "/c/<conversation_id>/messages", (303, 404, 401), form=_ASK),
    Route("POST", "/c/<conversation_id>/delete", (303, 404, 401)),
    Route("POST", "/m/<message_id>/cancel", (303, 404, 401)),
    Route("POST", "/m/<message_id>/regenerate", (303, 404, 401)),
    Route("POST", "/m/<message_id>/continue", (409, 404, 401)),
    Route("POST", f"{_API}/chat", (200, 200, 401), json={"message": "Hi", "stream": False}),
    Route("GET", f"{_API}/conversations", (200, 200, 401)),
    Route("POST", f"{_API}/conversations", (201, 201, 401), json={}),
    Route("GET", f"{_API}/conversations/<conversation_id>", _MINE),
    Route("PATCH", f"{_API}/conversations/<conversation_id>", _MINE, json={"title": "New"}),
    Route("DELETE", f"{_API}/conversations/<conversation_id>", (204, 404, 401)),
    Route("GET", f"{_API}/conversations/<conversation_id>/messages", _MINE),
    Route("POST", f"{_API}/conversations/<conversation_id>/messages", (201, 404, 401), json=_ASK),
    Route("GET", f"{_API}/conversations/<conversation_id>/status", _MINE),
    Route("GET", f"{_API}/conversations/<conversation_id>/poll", _MINE),
    Route("GET", f"{_API}/conversations/<conversation_id>/stream", _MINE),
    Route("GET", f"{_API}/messages/<message_id>/content", _MINE),
    Route("POST", f"{_API}/messages/<message_id>/cancel", _MINE),
    Route("POST", f"{_API}/messages/<message_id>/regenerate", (201, 404, 401)),
    Route("POST", f"{_API}/messages/<message_id>/continue", (409, 404, 401)),
    Route("GET", f"{_API}/doctor", (404, 404, 404)),
    Route("GET", f"{_API}/healthz", (200, 200, 200)),
)
CHANGES = tuple(route for route in ROUTES if route.method in UNSAFE)
READS = tuple(route for route in ROUTES if route.method == "GET")


def names(routes: tuple[Route, ...]) -> list[str]:
    """Names for ``pytest.mark.parametrize``."""

    return [route.name for route in routes]


def known_rules(app: Flask, prefix: str = "/chat") -> set[str]:
    """Every method and rule of the app below a prefix, but what says that nothing is there."""

    return {
        f"{method} {rule.rule.removeprefix(prefix)}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(f"{prefix}/") and not rule.endpoint.endswith(".api_unknown")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def make(host: Host, client: FlaskClient, text: str = "What is it?") -> Made:
    """A conversation with an answer that has ended."""

    asked = begin(client, text)
    host.wait_end(asked["message_id"])

    return Made(asked["conversation_id"], asked["user_message_id"], asked["message_id"])


def make_running(client: FlaskClient) -> Made:
    """A conversation whose answer is being written; the model must stand before a pause."""

    conversation = begin(client)["conversation_id"]
    asked = ask_in(client, conversation)

    return Made(conversation, asked["user_message_id"], asked["message_id"])


def call(
    client: FlaskClient,
    route: Route,
    made: Made,
    headers: dict[str, str] | None = None,
    prefix: str = "/chat",
) -> TestResponse:
    """The route's request for an object."""

    rule = route.rule.replace("<conversation_id>", made.conversation_id)
    rule = rule.replace("<message_id>", made.message_id)
    rule = rule.replace("<path:filename>", "chatstream.css")
    body = {"json": route.json} if route.json is not None else {"data": route.form}

    if route.method == "GET":
        body = {}

    return client.open(
        f"{prefix}{rule}", method=route.method, headers=headers, buffered=True, **body
    )
