"""A site's CSRF protection of its own making, as in Flask's old snippet."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort, render_template_string, request
from flask.testing import FlaskClient

from tests.hosts import HTML, HTMX, open_host
from tests.hosts.web import csrf_snippet

Prepare = Callable[[Flask], object]


def by_processor(app: Flask) -> None:
    csrf_snippet.guard(app)
    app.context_processor(lambda: {"csrf_token": csrf_snippet.make_token})


def by_processor_as_text(app: Flask) -> None:
    csrf_snippet.guard(app)
    app.context_processor(lambda: {"csrf_token": csrf_snippet.make_token()})


def by_global(app: Flask) -> None:
    csrf_snippet.guard(app)
    app.jinja_env.globals["csrf_token"] = csrf_snippet.make_token


@pytest.fixture(params=[by_processor, by_processor_as_text, by_global])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with open_host(tmp_path, request.param) as host:
        yield host.client()


def fields(client: FlaskClient) -> dict[str, str]:
    """The token as a form without a script carries it."""

    page = client.get("/chat/", headers=HTML).text

    return dict(re.findall(r'class="cs-csrf" name="(\w+)" value="([^"]+)"', page))


def test_the_token_is_sent_by_the_name_of_the_session(client: FlaskClient) -> None:
    """The field was called ``csrf_token``, and every act was refused."""

    found = fields(client)

    assert list(found) == ["_csrf_token"]
    asked = client.post("/chat/c", data={"content": "Hi", **found}, headers=HTML)
    assert asked.status_code == 303


def test_a_token_that_is_used_up_is_fetched_anew(client: FlaskClient) -> None:
    """The 403 of a protection that says no more looked like any other."""

    old = fields(client)
    data = {"content": "Please keep this", "live": "1", **old}
    assert client.post("/chat/c", data=data, headers=HTMX).status_code == 204
    refused = client.post("/chat/c", data=data, headers=HTMX)
    page = client.post("/chat/c", data=data, headers=HTML)
    token = client.get("/chat/token").get_json()["csrf_token"]

    assert (refused.status_code, page.status_code) == (400, 400)
    assert 'data-code="csrf"' in refused.text
    assert "Please keep this" in page.text
    assert token not in old.values()
    again = client.post("/chat/c", data={**data, "_csrf_token": token}, headers=HTMX)
    assert again.status_code == 204


def test_another_rule_of_the_sites_stays_what_it_is(tmp_path: Path) -> None:
    def prepare(app: Flask) -> None:
        app.jinja_env.globals["csrf_token"] = csrf_snippet.make_token
        app.before_request(lambda: abort(403) if request.method == "POST" else None)

    with open_host(tmp_path, prepare) as host:
        client = host.client()
        refused = client.post("/chat/c", data={"content": "Hi", "live": "1", **fields(client)})

    assert refused.status_code == 403
    assert 'data-code="http_403"' in refused.text


def test_a_field_of_the_sites_own_naming(tmp_path: Path) -> None:
    def prepare(app: Flask) -> None:
        app.config["WTF_CSRF_FIELD_NAME"] = "guard"
        app.jinja_env.globals["csrf_token"] = lambda: "a signed one"

    with open_host(tmp_path, prepare) as host:
        assert fields(host.client()) == {"guard": "a signed one"}


def test_a_page_with_a_token_of_a_cookie_reads_no_session(tmp_path: Path) -> None:
    """Caches would keep the page for one person."""

    def prepare(app: Flask) -> None:
        app.jinja_env.globals["csrf_token"] = lambda: request.cookies.get("token", "")
        app.add_url_rule("/", "home", lambda: render_template_string("{{ chatstream_widget() }}"))

    with open_host(tmp_path, prepare) as host:
        client = host.client()
        client.set_cookie("token", "a-token")
        page = client.get("/")

    assert 'data-csrf-token="a-token"' in page.text
    assert page.headers["Vary"] == "Accept-Language"
