"""A refused page or form: words, the right status, and the typed text kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import TooManyRequests
from werkzeug.test import TestResponse

from flask_chatstream.models import new_id
from flask_chatstream.providers.scripted import Pause
from tests.dom import Dom, Node
from tests.hosts import API, HTML, HTMX, Host, begin, chat, open_host

TYPED = 'A long thought, <b>typed</b> by "hand"'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def refused(response: TestResponse, status: int, code: str) -> Node:
    """Check that a refusal says so; its element."""

    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "text/html"
    (error,) = (
        node
        for node in Dom(response.get_data(as_text=True)).root.walk()
        if node.attributes.get("class") == "cs-error"
    )
    assert (error.attributes["data-code"], error.attributes["role"]) == (code, "alert")
    assert error.text().strip().endswith(".")

    return error


def again(response: TestResponse) -> tuple[str, dict[str, str]]:
    """The form that sends the text again: where to, and its fields as a browser reads them."""

    dom = Dom(response.get_data(as_text=True))
    (form,) = (n for n in dom.root.walk() if n.attributes.get("class") == "cs-again")
    fields = {n.attributes["name"] or "": n for n in form.walk() if n.attributes.get("name")}
    values = {
        name: n.text() if n.tag == "textarea" else n.attributes["value"] or ""
        for name, n in fields.items()
    }

    return form.attributes["action"] or "", values


def test_an_empty_question(client: FlaskClient) -> None:
    refused(client.post("/chat/c", data={"content": " "}, headers=HTML), 400, "empty_message")
    refused(client.post("/chat/c", data={"live": "1"}, headers=HTMX), 400, "empty_message")


@pytest.mark.parametrize("headers", [HTML, HTMX, {}], ids=["page", "htmx", "neither"])
def test_a_question_that_is_too_long(client: FlaskClient, headers: dict[str, str]) -> None:
    text = "é" * 32_001
    response = client.post("/chat/c", data={"content": text, "live": "1"}, headers=headers)
    error = refused(response, 400, "message_too_long")

    assert "32,001 characters of 32,000" in error.text()

    if headers is HTML:
        assert again(response)[1]["content"] == text
    else:
        assert "<html" not in response.get_data(as_text=True)


def test_a_form_that_is_too_large_to_be_read(client: FlaskClient) -> None:
    text = "x" * 3_000_000
    response = client.post("/chat/c", data={"content": text}, headers=HTML)

    assert response.status_code in (400, 413)
    refused(
        response,
        response.status_code,
        ["message_too_long", "too_large"][response.status_code == 413],
    )


def test_the_typed_text_is_sent_again_under_its_key(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half")
    url = f"/chat/c/{asked['conversation_id']}/messages"
    response = client.post(url, data={"content": TYPED, "key": "my-key"}, headers=HTML)
    refused(response, 409, "generation_active")
    where, fields = again(response)

    assert fields == {"content": TYPED, "key": "my-key"}
    assert where.endswith(url)
    client.post(f"{API}/messages/{asked['message_id']}/cancel")
    sent = client.post(where, data=fields, headers=HTML)
    twice = client.post(where, data=fields, headers=HTML)
    assert (sent.status_code, twice.status_code) == (303, 303)
    page = Dom(client.get(sent.headers["Location"]).get_data(as_text=True))
    assert [m.role for m in page.messages()] == ["user", "assistant"] * 2
    assert page.messages()[2].blocks[0][2] == TYPED.replace("<", "&lt;")


@pytest.mark.parametrize("key", ["x" * 65, "ö"])
def test_a_key_that_is_wrong_is_replaced(client: FlaskClient, key: str) -> None:
    response = client.post("/chat/c", data={"content": TYPED, "key": key}, headers=HTML)
    refused(response, 400, "invalid_key")
    where, fields = again(response)

    assert client.post(where, data=fields, headers=HTML).status_code == 303


@pytest.mark.parametrize("act", ["regenerate"])
def test_a_wrong_key_of_an_act(client: FlaskClient, act: str) -> None:
    asked = chat(client)
    url = f"/chat/m/{asked['message_id']}/{act}"
    response = client.post(url, data={"key": "x" * 65, "live": "1"}, headers=HTMX)

    refused(response, 400, "invalid_key")


def test_htmx_alone_is_told_in_words_that_it_shows(client: FlaskClient) -> None:
    data = {"content": "é" * 32_001}
    response = client.post("/chat/c", data=data, headers=HTMX)
    error = refused(response, 200, "message_too_long")
    dom = Dom(client.get("/chat/?new=1").get_data(as_text=True))
    dom.swap_oob(response.get_data(as_text=True))
    shown = dom.find("cs-refusal")

    assert shown is not None and shown.text().strip() == error.text().strip()


def test_a_conversation_that_is_not_there(client: FlaskClient) -> None:
    url = f"/chat/c/{new_id()}"
    page = client.get(url, headers=HTML)
    refused(page, 404, "not_found")
    refused(client.get(url, headers=HTMX), 404, "not_found")
    refused(client.get(f"{url}/events", headers={"Accept": "text/event-stream"}), 404, "not_found")

    assert "Back to your chats" in page.get_data(as_text=True)
    assert (
        again(client.post(f"{url}/messages", data={"content": TYPED}, headers=HTML))[1]["content"]
        == TYPED
    )


def test_a_retry_says_when(host: Host, client: FlaskClient) -> None:
    client.get("/chat/")
    host.state.runtime.draining = True
    response = client.post("/chat/c", data={"content": TYPED, "live": "1"}, headers=HTMX)
    error = refused(response, 503, "shutting_down")

    assert response.headers["Retry-After"] == error.attributes["data-retry-after"] == "2"


@pytest.mark.parametrize("after", [90, timedelta(hours=10)])
def test_a_limit_of_the_sites_says_when(
    host: Host, client: FlaskClient, after: int | timedelta
) -> None:
    def limited(act: str, owner: str, object: str | None) -> bool:
        moment = after if isinstance(after, int) else datetime.now(UTC) + after

        raise TooManyRequests(retry_after=moment)

    host.chat.authorize(limited)
    response = client.post("/chat/c", data={"content": TYPED, "live": "1"}, headers=HTMX)
    error = refused(response, 429, "rate_limited")
    seconds = error.attributes["data-retry-after"] or ""

    assert error.text().strip() == "Too many requests at once. Please wait a moment."
    assert response.headers["Retry-After"] == seconds
    assert int(seconds) == 90 if after == 90 else 35_000 < int(seconds) <= 36_000


def test_words_of_a_sites_limit_are_the_sites(host: Host, client: FlaskClient) -> None:
    def limited(act: str, owner: str, object: str | None) -> bool:
        raise TooManyRequests("Come back tomorrow.")

    host.chat.authorize(limited)
    refused_page = client.get("/chat/", headers=HTML)

    assert refused_page.status_code == 429
    assert "Come back tomorrow." in refused_page.text


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Host]:
    """A site with Flask-WTF's protection, and its own page for what that refuses."""

    def prepare(app: Flask) -> None:
        CSRFProtect(app)
        app.register_error_handler(400, lambda error: ("<h1>The host's page</h1>", 400))

    with open_host(tmp_path, prepare) as host:
        yield host


def _token(client: FlaskClient) -> tuple[str, str]:
    """The token in the page: of its root for the script, and of its form."""

    dom = Dom(client.get("/chat/").get_data(as_text=True))
    roots = [n for n in dom.root.walk() if "data-csrf-token" in n.attributes]
    fields = [n for n in dom.root.walk() if n.attributes.get("name") == "csrf_token"]
    assert roots[0].attributes["data-csrf-header"] == "X-CSRFToken"

    return roots[0].attributes["data-csrf-token"] or "", fields[0].attributes["value"] or ""


def test_a_page_carries_the_sites_token(guarded: Host) -> None:
    client = guarded.client()
    header, field = _token(client)
    by_field = client.post("/chat/c", data={"content": "Hi", "csrf_token": field}, headers=HTML)
    by_header = client.post(
        "/chat/c",
        data={"content": "Hi", "live": "1"},
        headers={**HTMX, "X-CSRFToken": header},
    )
    by_api = client.post(
        f"{API}/chat", json={"message": "Hi", "stream": False}, headers={"X-CSRFToken": header}
    )

    assert by_field.status_code == 303
    assert by_header.status_code == 204
    assert by_api.status_code == 200


def test_a_page_that_was_open_for_long(guarded: Host) -> None:
    client = guarded.client()
    data = {"content": TYPED, "key": "k", "csrf_token": "expired"}
    page = client.post("/chat/c", data=data, headers=HTML)
    error = refused(page, 400, "csrf")
    where, fields = again(page)

    assert error.text().strip() == "This page has been open for long. Please send it again."
    assert (fields["content"], fields["key"]) == (TYPED, "k")
    assert client.post(where, data=fields, headers=HTML).status_code == 303


def test_the_script_gets_a_fresh_token(guarded: Host) -> None:
    client = guarded.client()
    stale = client.post(
        "/chat/c", data={"content": TYPED, "live": "1"}, headers={**HTMX, "X-CSRFToken": "old"}
    )
    refused(stale, 400, "csrf")
    assert "<html" not in stale.get_data(as_text=True)
    response = client.get("/chat/token")
    token = response.get_json()["csrf_token"]
    sent = client.post(
        "/chat/c", data={"content": TYPED, "live": "1"}, headers={**HTMX, "X-CSRFToken": token}
    )

    assert response.headers["Cache-Control"] == "no-store"
    assert sent.status_code == 204


def test_the_api_is_guarded_too(guarded: Host) -> None:
    response = guarded.client().post(f"{API}/chat", json={"message": "Hi"})
    error = response.get_json()["error"]

    assert (response.status_code, error["code"]) == (400, "csrf")
    assert len(error["request_id"]) == 32


def test_a_site_without_protection_has_no_token(client: FlaskClient) -> None:
    assert client.get("/chat/token").get_json() == {"csrf_token": ""}
    page = client.get("/chat/").get_data(as_text=True)
    assert 'data-csrf-token=""' in page and 'name="csrf_token"' not in page
