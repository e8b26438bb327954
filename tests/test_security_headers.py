"""No shared cache keeps anything private, and no page runs what it did not bring (S20, S25)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.dom import Dom
from tests.hosts import HTML, HTMX, SSE, Host, open_host
from tests.urls import ROUTES, Made, Route, call, make, names

STREAMS = {"/api/v1/conversations/<conversation_id>/stream"}
NEVER_KEPT = {
    *STREAMS,
    "/token",
    "/c/<conversation_id>/events",
}
OTHERS = tuple(route for route in ROUTES if "static" not in route.rule)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with open_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(scope="module")
def client(host: Host) -> FlaskClient:
    return host.client()


@pytest.fixture
def made(host: Host, client: FlaskClient) -> Made:
    return make(host, client)


@pytest.mark.parametrize("route", OTHERS, ids=names(OTHERS))
def test_nothing_is_kept_by_a_shared_cache(client: FlaskClient, made: Made, route: Route) -> None:
    for headers in ({}, HTML, HTMX):
        response = call(client, route, made, headers)
        kept = response.headers["Cache-Control"]
        is_stored = response.status_code < 300 and route.rule not in NEVER_KEPT

        assert "public" not in kept and "max-age" not in kept
        assert "no-store" in kept or kept == "private, no-cache"
        assert ("no-store" in kept) is not is_stored or response.status_code == 303
        assert "Cookie" in response.headers["Vary"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert len(response.headers.getlist("Cache-Control")) == 1


@pytest.mark.parametrize("route", OTHERS, ids=names(OTHERS))
def test_no_refusal_is_kept(client: FlaskClient, route: Route) -> None:
    response = call(client, route, Made("x", "x", "x"))

    if response.status_code >= 400:
        assert response.headers["Cache-Control"] == "no-store"


def test_a_stream_is_held_back_by_nobody(client: FlaskClient, made: Made) -> None:
    for url in (
        f"/chat/c/{made.conversation_id}/events",
        f"/chat/api/v1/conversations/{made.conversation_id}/stream",
    ):
        response = client.get(url, headers=SSE, buffered=True)

        assert response.mimetype == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert {"Accept", "Cookie"} <= {v.strip() for v in response.headers["Vary"].split(",")}
        assert "Content-Length" not in response.headers or "api" in url
        assert "Set-Cookie" not in response.headers


def test_a_poll_is_not_taken_for_a_stream(client: FlaskClient, made: Made) -> None:
    response = client.get(f"/chat/c/{made.conversation_id}/events")

    assert response.headers["Cache-Control"] == "no-store"
    assert "Accept" in response.headers["Vary"]


def test_our_files_may_be_kept(client: FlaskClient) -> None:
    with client.get("/chat/chatstream-static/chatstream.css") as response:
        assert response.status_code == 200
        assert "private" not in response.headers["Cache-Control"]
        assert "Set-Cookie" not in response.headers
        assert response.headers["ETag"]

    assert client.get("/chat/chatstream-static/../blueprint.py").status_code == 404
    assert client.get("/chat/chatstream-static/%2e%2e/blueprint.py").status_code == 404


@pytest.mark.parametrize("url", ["/chat/", "/chat/?view=widget", "/chat/list", "/chat/c/x"])
def test_a_page_needs_no_inline_script_or_style(client: FlaskClient, made: Made, url: str) -> None:
    text = client.get(url, headers=HTML).get_data(as_text=True)

    for node in Dom(text).root.walk():
        assert node.tag not in {"style", "iframe", "object", "embed"}
        assert not any(name.startswith("on") or name == "style" for name in node.attributes)
        assert not any(name.startswith("hx-on") for name in node.attributes)

        if node.tag == "script":
            assert node.attributes["src"] and not node.text().strip()

        for name in {"src", "href", "action"} & node.attributes.keys():
            assert (node.attributes[name] or "").startswith(("/chat/", "#"))


def test_errors_tell_nothing_of_the_server(host: Host, client: FlaskClient) -> None:
    for url in ("/chat/c/x", "/chat/list?cursor=x", "/chat/api/v1/conversations?cursor=x"):
        text = client.get(url).get_data(as_text=True)

        assert "Traceback" not in text
        assert host.app.instance_path not in text
        assert "sqlite" not in text.lower()
