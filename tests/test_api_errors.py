"""What the API refuses: the right status, a code, words for a person, nothing stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from flask_chatstream import ChatStream
from flask_chatstream.models import Conversation, Message, new_id
from tests.fakes.behaviour import Behaviour
from tests.fakes.model_server import ModelServer
from tests.hosts import API, Host, chat, content, open_host

CHAT = f"{API}/chat"
LIST = f"{API}/conversations"
LIMIT = 32_000
MAX_BODY = LIMIT * 4 * 8 + 65_536


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with open_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def refused(response: TestResponse, status: int, code: str) -> str:
    """Check the shape of a refusal; its words."""

    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/json"
    error = response.get_json()["error"]
    assert error.keys() == {"code", "message", "request_id"}
    assert error["code"] == code
    assert len(error["request_id"]) == 32
    assert error["message"][0].isupper() or ":" in error["message"]
    assert error["message"].endswith(".")
    assert response.headers["Cache-Control"] == "no-store"
    message: str = error["message"]

    return message


def _count(host: Host) -> int:
    with host.read() as session:
        return sum(
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Conversation, Message)
        )


@pytest.mark.parametrize("text", ["", "  \n\t ", "\r\n"])
def test_an_empty_message(host: Host, client: FlaskClient, text: str) -> None:
    before = _count(host)
    words = refused(client.post(CHAT, json={"message": text}), 400, "empty_message")

    assert words == "Please write something first."
    assert _count(host) == before


def test_a_message_that_is_too_long(host: Host, client: FlaskClient) -> None:
    before = _count(host)
    long = "é" * (LIMIT + 1)
    words = refused(client.post(CHAT, json={"message": long}), 400, "message_too_long")

    assert words == "The message is too long: 32,001 characters of 32,000."
    assert _count(host) == before
    assert chat(client, "🎉" * LIMIT)["status"] == "completed"


def test_a_body_that_is_too_large(client: FlaskClient) -> None:
    body = json.dumps({"message": "x" * MAX_BODY})
    refused(client.post(CHAT, data=body), 413, "too_large")


def test_a_body_of_unknown_length_that_is_too_large(client: FlaskClient) -> None:
    """A chunked request has no length, so only reading it tells."""

    import io

    body = io.BytesIO(json.dumps({"message": "x" * MAX_BODY}).encode())
    response = client.post(
        CHAT,
        input_stream=body,
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    refused(response, 413, "too_large")


def test_a_host_with_a_limit_of_its_own(tmp_path: Path) -> None:
    with open_host(tmp_path, MAX_CONTENT_LENGTH=1000) as host:
        response = host.client().post(CHAT, json={"message": "x" * 1001})

        refused(response, 413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nothing",
        b"\xff\xfe",
        b'{"message": "a"',
        b'{"message": "\\ud800"}',
        b"[" * 100_000,
        b'{"message": "a"}{}',
    ],
)
def test_malformed_json(client: FlaskClient, body: bytes) -> None:
    assert refused(client.post(CHAT, data=body), 400, "invalid_request") == (
        "The body is not valid JSON."
    )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], ""),
        ("text", ""),
        (None, ""),
        ({}, ""),
        ({"message": None}, ""),
        ({"message": "a", "messages": []}, ""),
        ({"messages": []}, ""),
        ({"messages": [{"role": "assistant", "content": "a"}]}, ""),
        ({"message": 5}, "message"),
        ({"message": ["a"]}, "message"),
        ({"messages": "a"}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
        ({"message": "a", "owner": "bob"}, "owner"),
        ({"message": "a", "temperature": 2.1}, "temperature"),
        ({"message": "a", "temperature": -0.1}, "temperature"),
        ({"message": "a", "temperature": "1"}, "temperature"),
        ({"message": "a", "temperature": True}, "temperature"),
        ({"message": "a", "stream": "no"}, "stream"),
        ({"message": "a", "stream": 0}, "stream"),
        ({"message": "a", "model": ""}, "model"),
        ({"message": "a", "model": "x" * 129}, "model"),
        ({"message": "a", "model": "x\0y"}, "model"),
        ({"message": "a", "conversation_id": "x"}, "conversation_id"),
        ({"message": "a", "conversation_id": "0" * 32 + "\n"}, "conversation_id"),
        ({"message": "a", "metadata": []}, "metadata"),
        ({"message": "a", "metadata": {"a": "x" * 17_000}}, "metadata"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    host: Host, client: FlaskClient, body: Any, place: str
) -> None:
    before = _count(host)
    words = refused(client.post(CHAT, json=body), 400, "invalid_request")

    assert words.split(":")[0] == place if place else ":" not in words
    assert _count(host) == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["temperature", "metadata"])
def test_numbers_that_json_does_not_have(client: FlaskClient, number: str, name: str) -> None:
    value = number if name == "temperature" else f'{{"a": {number}}}'
    body = f'{{"message": "a", "{name}": {value}}}'

    refused(client.post(CHAT, data=body), 400, "invalid_request")


def test_an_unknown_field_of_each_body(client: FlaskClient) -> None:
    conversation = client.post(LIST, json={}).get_json()["id"]

    for method, url, body in (
        ("POST", LIST, {}),
        ("PATCH", f"{LIST}/{conversation}", {"title": "a"}),
        ("POST", f"{LIST}/{conversation}/messages", {"content": "a"}),
    ):
        response = client.open(url, method=method, json={**body, "owner": "bob"})

        assert refused(response, 400, "invalid_request").startswith("owner: ")


@pytest.mark.parametrize("title", ["", None, 5, "x" * 256, "a\0b"])
def test_a_title_that_is_wrong(client: FlaskClient, title: object) -> None:
    conversation = client.post(LIST, json={}).get_json()["id"]
    response = client.patch(f"{LIST}/{conversation}", json={"title": title})

    assert refused(response, 400, "invalid_request").startswith("title: ")


@pytest.mark.parametrize("key", ["x" * 65, "ö", "a\tb"])
def test_a_key_that_is_wrong(client: FlaskClient, key: str) -> None:
    headers = {"Idempotency-Key": key}
    refused(client.post(CHAT, json={"message": "a"}, headers=headers), 400, "invalid_key")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "W10",
        "WzEsMl0",
        "WyIyMDI2IiwiYSIsMV0",
        "bnVsbA",
        "ÿ",
        "W1tb" * 700,
        "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiYSJd",
        "9" * 6000,
    ],
)
def test_a_cursor_that_is_none_of_ours(client: FlaskClient, cursor: str) -> None:
    refused(client.get(LIST, query_string={"cursor": cursor}), 400, "invalid_cursor")


def test_an_answer_of_another_conversation_is_no_parent(client: FlaskClient) -> None:
    first, second = chat(client), chat(client)
    url = f"{LIST}/{first['conversation_id']}/messages"
    response = client.post(url, json={"content": "a", "parent_id": second["message_id"]})

    refused(response, 404, "not_found")


def test_a_foreign_conversation(host: Host, client: FlaskClient) -> None:
    theirs = chat(host.client())["conversation_id"]
    words = [
        refused(client.post(CHAT, json={"message": "a", "conversation_id": id}), 404, "not_found")
        for id in (theirs, new_id())
    ]

    assert words == ["There is no such conversation or message."] * 2


def test_a_question_cannot_be_written_again(client: FlaskClient) -> None:
    asked = chat(client)
    url = f"{API}/messages/{asked['user_message_id']}/regenerate"

    refused(client.post(url), 400, "invalid_request")


def test_nobody_signed_in(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_ANONYMOUS="sign_in") as host:
        response = host.client().post(CHAT, json={"message": "a"})

        assert refused(response, 401, "sign_in_required") == "Please sign in to chat."


def test_a_host_with_error_pages_of_its_own(tmp_path: Path) -> None:
    """Flask asks a host's handler of a code before a blueprint's handler of a class."""

    def prepare(app: Flask) -> None:
        for code in (400, 404, 413, 500):
            app.register_error_handler(code, lambda error: ("<h1>The host's page</h1>", 418))

        app.register_error_handler(Exception, lambda error: ("<h1>The host's page</h1>", 418))

    with open_host(tmp_path, prepare, MAX_CONTENT_LENGTH=1000) as host:
        client = host.client()

        refused(client.get(f"{LIST}/{new_id()}"), 404, "not_found")
        refused(client.post(CHAT, data=b"{"), 400, "invalid_request")
        refused(client.post(CHAT, json={"message": "x" * 1001}), 413, "too_large")
        assert client.get("/elsewhere").status_code == 418


HOSTS_PAGE = "<h1>The host's page</h1>"


@pytest.fixture(params=[False, True], ids=["", "host's pages"])
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FlaskClient]:
    """A host, with and without handlers of its own for every error."""

    def prepare(app: Flask) -> None:
        if request.param:
            for code in (404, 405):
                app.register_error_handler(code, lambda error: (HOSTS_PAGE, error.code))

    with open_host(tmp_path, prepare) as host:
        yield host.client()


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/conversations/", "/chat/x/y", "/..", "/%00", "/c%2Fd"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_is_at_an_address(strict: FlaskClient, method: str, path: str) -> None:
    """The host's HTML was given to a client that reads JSON."""

    response = strict.open(f"{API}{path}", method=method)

    assert refused(response, 404, "not_found") == "There is nothing at this address."
    assert "Allow" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat", {"POST"}),
        ("PUT", "/conversations", {"GET", "HEAD", "POST"}),
        ("POST", f"/conversations/{'0' * 32}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("DELETE", f"/messages/{'0' * 32}/content", {"GET", "HEAD"}),
        ("TRACE", "/healthz", {"GET", "HEAD"}),
        ("PATCH", "/conversations/short/stream", {"GET", "HEAD"}),
    ],
)
def test_an_address_without_that_method(
    strict: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    response = strict.open(f"{API}{path}", method=method)

    assert refused(response, 405, "method_not_allowed") == f"{method} is not for this address."
    assert set(response.allow) == allowed | {"OPTIONS"}
    assert set(strict.options(f"{API}{path}").allow) == allowed | {"OPTIONS"}


def test_other_addresses_below_the_mount_are_the_hosts(tmp_path: Path) -> None:
    def prepare(app: Flask) -> None:
        for code in (404, 405):
            app.register_error_handler(code, lambda error: (HOSTS_PAGE, error.code))

    with open_host(tmp_path, prepare) as host:
        client, id = host.client(), "0" * 32

        for path in ("/chat/nothing", "/chat/api", "/chat/api/v1x", "/api/v1/nothing"):
            assert client.get(path).get_data(as_text=True) == HOSTS_PAGE

        assert client.get(f"/chat/m/{id}/cancel").get_data(as_text=True) == HOSTS_PAGE
        refused = client.get(f"/chat/c/{id}", headers={"Accept": "text/html"})
        assert (refused.status_code, 'data-code="not_found"' in refused.text) == (404, True)


def test_a_site_without_a_key(tmp_path: Path) -> None:
    with _open_openai(tmp_path) as client:
        response = client.post(CHAT, json={"message": "a", "stream": False})
        value = response.get_json()

        assert response.status_code == 502
        assert value["error"]["code"] == "configuration"
        assert value["error"]["message"] == "The model is not set up on this site."
        assert content(client, value["message_id"])["status"] == "error"


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour(status=401), "authentication"),
        (Behaviour(status=404), "model_not_found"),
        (Behaviour(status=429, retry_after="0"), "rate_limited"),
        (Behaviour(status=500), "provider"),
        (Behaviour(tokens=4, cut=300), "incomplete"),
        (Behaviour(status=200, body="<h1>Hi</h1>", content_type="text/html"), "malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_provider_that_fails(tmp_path: Path, behaviour: Behaviour, code: str) -> None:
    with ModelServer() as server:
        server.default = behaviour

        with _open_openai(
            tmp_path,
            CHATSTREAM_OPENAI_API_KEY="sk-canary",
            CHATSTREAM_OPENAI_BASE_URL=server.base_url,
        ) as client:
            response = client.post(CHAT, json={"message": "a", "stream": False})

    assert (response.status_code, response.get_json()["error"]["code"]) == (502, code)
    assert "canary" not in response.get_data(as_text=True)


def test_a_provider_that_is_down(tmp_path: Path) -> None:
    with ModelServer() as server:
        address = server.base_url

    config = {"CHATSTREAM_OPENAI_API_KEY": "sk-x", "CHATSTREAM_OPENAI_BASE_URL": address}

    with _open_openai(tmp_path, **config) as client:
        response = client.post(CHAT, json={"message": "a", "stream": False})
        value = response.get_json()
        again = client.post(f"{API}/messages/{value['message_id']}/regenerate")

    assert (response.status_code, value["error"]["code"]) == (502, "connection")
    assert value["error"]["message"] == "The model could not be reached."
    assert again.status_code == 201


class _open_openai:
    """A client of a site that asks OpenAI's API."""

    def __init__(self, folder: Path, **config: str):
        self._app = Flask("host", instance_path=str(folder / "instance"))
        self._app.config.update(TESTING=True, SECRET_KEY="x", **config)
        self._app.register_blueprint(ChatStream(provider="openai"))

    def __enter__(self) -> FlaskClient:
        return self._app.test_client()

    def __exit__(self, *error: object) -> None:
        self._app.extensions["chatstream"].close()
