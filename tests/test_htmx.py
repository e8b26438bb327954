"""What htmx alone, and htmx with our script, are told after each act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from flask_chatstream.htmx import htmx, make_response
from flask_chatstream.providers.scripted import Pause
from tests.dom import Dom
from tests.hosts import HTMX, Host, begin, chat, open_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def test_the_headers_are_read(host: Host) -> None:
    with host.app.test_request_context("/"):
        assert not htmx()

    with host.app.test_request_context("/", headers={**HTMX, "HX-Boosted": "true"}):
        assert htmx() and htmx().boosted


def test_an_answer_carries_headers(host: Host) -> None:
    with host.app.test_request_context("/"):
        response = make_response("", 204, redirect="/there")

    assert (response.status_code, response.headers["HX-Redirect"]) == (204, "/there")


def test_a_boosted_link_loads_the_page_as_a_page(client: FlaskClient) -> None:
    response = client.get("/chat/", headers={**HTMX, "HX-Boosted": "true"})

    assert response.headers["HX-Redirect"].rstrip("?").endswith("/chat/")
    assert response.get_data() == b""


def test_a_new_chat_by_htmx_alone_leads_to_its_page(client: FlaskClient) -> None:
    response = client.post("/chat/c", data={"content": "Hi"}, headers=HTMX)

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["HX-Redirect"].startswith("/chat/c/")


def test_a_question_by_htmx_alone_is_put_into_the_page(host: Host, client: FlaskClient) -> None:
    first = chat(client)
    url = f"/chat/c/{first['conversation_id']}"
    dom = Dom(client.get(url).get_data(as_text=True))
    poller = f"cs-c{first['conversation_id']}-poll"
    host.provider.enqueue("Half", gate := Pause(), " and half.")
    sent = client.post(f"{url}/messages", data={"content": "And?"}, headers=HTMX)
    fragments = sent.get_data(as_text=True)
    assert sent.status_code == 200
    dom.swap_oob(fragments)

    assert [m.status for m in dom.messages()] == ["completed"] * 3 + ["generating"]
    gate.wait_reached()
    gate.release()
    host.wait_end(dom.messages()[3].id)
    found = dom.find(poller)
    assert found is not None
    dom.swap(client.get(found.attributes["hx-get"] or "", headers=HTMX).get_data(True), poller)
    reloaded = Dom(client.get(url).get_data(as_text=True))

    assert dom.messages() == reloaded.messages()
    found = dom.find(poller)
    assert found is not None and "hx-get" not in found.attributes


@pytest.mark.parametrize("new", [True, False])
def test_our_script_is_told_where_everything_is(client: FlaskClient, new: bool) -> None:
    first = chat(client)
    url = "/chat/c" if new else f"/chat/c/{first['conversation_id']}/messages"
    response = client.post(url, data={"content": "Hi", "live": "1", "key": "k"}, headers=HTMX)
    told = response.headers
    page = f"/chat/c/{told['X-Conversation']}"

    assert (response.status_code, response.data) == (204, b"")
    assert (told["X-Conversation"] == first["conversation_id"]) is not new
    assert told["X-Location"] == page
    assert told["X-Events"] == f"{page}/events"
    assert told["X-Messages-Url"] == f"{page}/messages"
    assert "Location" not in told and "HX-Redirect" not in told

    again = client.post(url, data={"content": "Hi", "live": "1", "key": "k"}, headers=HTMX)
    assert again.headers["X-Message"] == told["X-Message"] != ""


@pytest.mark.parametrize("act", ["cancel", "regenerate"])
def test_an_act_on_a_message(host: Host, client: FlaskClient, act: str) -> None:
    if act == "cancel":
        host.provider.enqueue("Half", Pause())
        asked = begin(client)
    else:
        asked = chat(client)

    url = f"/chat/m/{asked['message_id']}/{act}"
    live = client.post(url, data={"live": "1"}, headers=HTMX)
    alone = client.post(url, headers=HTMX)

    assert (live.status_code, live.data) == (204, b"")
    assert live.headers["X-Conversation"] == asked["conversation_id"]
    assert alone.status_code == 204
    assert alone.headers["HX-Redirect"] == f"/chat/c/{asked['conversation_id']}"


def test_a_deletion(client: FlaskClient) -> None:
    first, second = chat(client), chat(client)
    url = f"/chat/c/{first['conversation_id']}/delete"
    live = client.post(url, data={"live": "1"}, headers=HTMX)
    alone = client.post(f"/chat/c/{second['conversation_id']}/delete", headers=HTMX)

    assert (live.status_code, alone.status_code) == (204, 204)
    assert live.headers["X-Conversation"] == first["conversation_id"]
    assert alone.headers["HX-Redirect"] == "/chat/"
