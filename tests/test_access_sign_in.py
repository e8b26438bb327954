"""Nobody is signed in: the API says so in JSON, pages lead to the log-in and back."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, render_template_string
from flask_login import LoginManager
from werkzeug.test import TestResponse

from tests.hosts import API, HTML, HTMX, SSE, Host, chat, open_host
from tests.logins import add_flask_login, add_session_login, session_user

ID = "0" * 32
PAGES = ("/chat/", "/chat/?new=1", f"/chat/c/{ID}", f"/chat/c/{ID}?leaf={ID}")


def add_page(app: Flask) -> None:
    app.add_url_rule("/", "home", lambda: render_template_string("{{ chatstream_widget() }}"))


def with_flask_login(app: Flask) -> None:
    add_page(app)
    add_flask_login(app)


def with_session(app: Flask) -> None:
    add_page(app)
    add_session_login(app)
    app.config["CHATSTREAM_LOGIN_URL"] = "/sign-in?from=chat"


def with_endpoint(app: Flask) -> None:
    with_session(app)
    app.add_url_rule("/sign-in", "sign_in", lambda: "")
    app.config["CHATSTREAM_LOGIN_URL"] = "sign_in"


@pytest.fixture(params=[with_flask_login, with_session, with_endpoint])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path, request.param, CHATSTREAM_ANONYMOUS="sign_in") as host:
        if request.param is not with_flask_login:
            host.chat.owner_loader(session_user)

        yield host


def next_of(response: TestResponse) -> str:
    assert response.status_code == 302

    return next_in(response.headers["Location"])


def next_in(address: str) -> str:
    parts = urlsplit(address)
    assert parts.path == "/sign-in"

    return parse_qs(parts.query)["next"][0]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_leads_to_the_log_in_and_back(host: Host, page: str) -> None:
    response = host.client().get(page, headers=HTML)

    assert next_of(response) == page
    assert response.headers["Cache-Control"] == "no-store"
    assert "chatstream_owner" not in response.headers.get("Set-Cookie", "")


def test_one_comes_back_to_the_page(tmp_path: Path) -> None:
    with open_host(tmp_path, with_flask_login, CHATSTREAM_ANONYMOUS="sign_in") as host:
        client = host.client()
        way = client.get("/chat/?new=1", headers=HTML).headers["Location"]
        back = client.post(way)

        assert back.headers["Location"] == "/chat/?new=1"
        assert client.get(back.headers["Location"], headers=HTML).status_code == 200


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"{API}/conversations", HTML),
        (f"{API}/conversations/{ID}/stream", SSE),
        (f"/chat/c/{ID}/events", SSE),
    ],
)
def test_the_api_and_the_streams_answer_in_json(
    host: Host, url: str, headers: dict[str, str]
) -> None:
    response = host.client().get(url, headers=headers)

    assert response.status_code == 401
    assert response.get_json()["error"]["code"] == "sign_in_required"


def test_what_was_typed_is_kept(host: Host) -> None:
    response = host.client().post("/chat/c", data={"content": "A long question"}, headers=HTML)
    dom = response.get_data(as_text=True)

    assert response.status_code == 401
    assert "A long question" in dom
    assert "Sign in" in dom


def test_htmx_is_led_there_too(host: Host) -> None:
    headers = {**HTMX, "HX-Current-URL": "http://localhost/shop?page=2"}
    response = host.client().get("/chat/list", headers=headers)

    assert next_in(response.headers["HX-Redirect"]) == "/shop?page=2"


@pytest.mark.parametrize("view", ["widget", "panel"])
def test_the_chat_in_a_page_offers_to_sign_in(host: Host, view: str) -> None:
    headers = {**HTML, "Referer": "http://localhost/shop?page=2"}
    response = host.client().get(f"/chat/?view={view}", headers=headers)
    (link,) = re.findall(r'<a class="cs-retry" href="([^"]+)"', response.get_data(as_text=True))

    assert response.status_code == 401
    assert next_in(html.unescape(link)) == "/shop?page=2"


@pytest.mark.parametrize(
    "page", ["http://evil.example/x", "//evil.example", "javascript:alert(1)", "", "http://[", "é"]
)
def test_nobody_is_led_to_another_site(host: Host, page: str) -> None:
    headers = {**HTML, "Referer": page.encode().decode("latin-1")}
    text = host.client().get("/chat/?view=widget", headers=headers).get_data(as_text=True)

    assert "evil" not in text
    assert "javascript" not in text


def test_a_path_of_two_slashes_is_not_another_site(host: Host) -> None:
    headers = {**HTML, "Referer": "http://localhost//evil.example/"}
    text = host.client().get("/chat/?view=widget", headers=headers).get_data(as_text=True)

    assert "next=%2Fevil.example" in text


def test_a_site_that_hides_the_chat(tmp_path: Path) -> None:
    with open_host(tmp_path, with_flask_login, CHATSTREAM_ANONYMOUS="hidden") as host:
        client = host.client()
        assert "cs-widget" not in client.get("/").get_data(as_text=True)
        assert next_of(client.get("/chat/", headers=HTML)) == "/chat/"
        client.get("/in/ada")
        assert "cs-widget" in client.get("/").get_data(as_text=True)


def test_the_hosts_own_handler_answers(tmp_path: Path) -> None:
    def prepare(app: Flask) -> None:
        manager = LoginManager(app)
        manager.user_loader(lambda id: None)
        manager.unauthorized_handler(lambda: ("Members only", 418))

    with open_host(tmp_path, prepare, CHATSTREAM_ANONYMOUS="sign_in") as host:
        response = host.client().get("/chat/", headers=HTML)

    assert (response.status_code, response.text) == (418, "Members only")


def test_without_a_log_in_the_page_says_it(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_ANONYMOUS="sign_in") as host:
        pages = [host.client().get(p, headers=HTML) for p in ("/chat/", "/chat/?view=widget")]

    assert [page.status_code for page in pages] == [401, 401]
    assert all("Please sign in to chat." in page.get_data(as_text=True) for page in pages)


WITHOUT = """
import sys
sys.modules["flask_login"] = None
from flask import Flask, session
from flask_chatstream import ChatStream
app = Flask("site", instance_path=sys.argv[1])
app.config.update(TESTING=True, SECRET_KEY="x", CHATSTREAM_LOGIN_URL="/sign-in")
chat = ChatStream(provider="demo")
chat.owner_loader(lambda: session.get("user"))
app.register_blueprint(chat)

@app.get("/in")
def enter():
    session["user"] = "ada"
    return str(chat.claim())

client = app.test_client()
client.post("/chat/api/v1/conversations", json={})
assert client.get("/in").text == "1"
assert len(client.get("/chat/api/v1/conversations").get_json()["conversations"]) == 1
with app.app_context():
    chat.revoke("ada")
    assert chat.delete_owner("ada").conversations == 1
app.extensions["chatstream"].close()
print("well")
"""


def test_all_of_it_works_without_flask_login(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr


def test_who_is_signed_in_is_not_led_anywhere(host: Host) -> None:
    client = host.client()
    client.get("/in/ada")
    chat(client)

    assert client.get("/chat/", headers=HTML).status_code == 200
