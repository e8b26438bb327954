"""Whose chat it is: the site's own word, Flask-Login's user, or a cookie that we have signed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from itsdangerous import URLSafeSerializer
from werkzeug.http import parse_cookie
from werkzeug.test import TestResponse

from flask_chatstream import ChatStream
from flask_chatstream.access import COOKIE
from flask_chatstream.models import Conversation
from tests.hosts import API, Host, chat, open_host, together


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


def _owner(host: Host, client: FlaskClient) -> str:
    """Who the chat takes a client for."""

    id = client.post(f"{API}/conversations", json={}).get_json()["id"]

    with host.read() as session:
        return session.get_one(Conversation, id).owner


def _get(host: Host, cookie: str) -> TestResponse:
    """A page for a browser with this Cookie header."""

    client = host.app.test_client(use_cookies=False)

    return client.get("/chat/", headers={"Cookie": cookie})


def test_an_anonymous_owner_is_minted_once(host: Host) -> None:
    client = host.client()
    first = client.get("/chat/")
    header = first.headers["Set-Cookie"]
    later = [client.get("/chat/"), client.get("/chat/list"), client.post("/chat/c", data={})]

    assert header.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(header.split("; "))
    assert "Secure" not in header
    assert not any("Set-Cookie" in response.headers for response in later)
    assert _owner(host, client) == _owner(host, client)
    kind, _, id = _owner(host, client).partition(":")
    assert (kind, len(bytes.fromhex(id))) == ("anonymous", 16)


def test_the_cookie_is_secure_where_the_site_is(host: Host) -> None:
    response = host.client().get("/chat/", base_url="https://localhost")

    assert "Secure" in response.headers["Set-Cookie"]


def test_everybody_is_somebody_else(host: Host) -> None:
    assert len({_owner(host, host.client()) for _ in range(5)}) == 5


def test_a_refused_first_request_mints_an_owner_too(host: Host) -> None:
    client = host.client()
    refused = client.post(f"{API}/chat", json={"message": ""})

    assert refused.status_code == 400
    assert "Set-Cookie" in refused.headers
    assert "Set-Cookie" not in client.get("/chat/").headers


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "anonymous:0123",
        "ImFub255bW91czpmb3JnZWQi.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "..",
        "é" * 10,
        "a" * 8000,
        "\x00",
    ],
)
def test_a_forged_cookie_is_ignored(host: Host, value: str) -> None:
    response = _get(host, f"{COOKIE}={value}".encode().decode("latin-1"))

    assert response.status_code == 200
    assert "Set-Cookie" in response.headers


@pytest.mark.parametrize("salt", ["chatstream-owner", "another salt"])
@pytest.mark.parametrize("owner", ["user:1", "anonymous:1", 5, None, ["anonymous:1"]])
def test_only_an_anonymous_owner_comes_out_of_a_cookie(
    host: Host, salt: str, owner: object
) -> None:
    """The site's key signs other things too."""

    cookie = URLSafeSerializer("for tests only", salt=salt).dumps(owner)
    response = _get(host, f"{COOKIE}={cookie}")
    is_taken = salt == "chatstream-owner" and owner == "anonymous:1"

    assert ("Set-Cookie" not in response.headers) is is_taken


def test_another_sites_cookie_is_ignored(host: Host) -> None:
    cookie = URLSafeSerializer("another key", salt="chatstream-owner").dumps("anonymous:1")
    response = _get(host, f"{COOKIE}={cookie}")

    assert "Set-Cookie" in response.headers


def test_a_cookie_of_the_key_before_is_still_good(tmp_path: Path) -> None:
    """A site that renews its SECRET_KEY names the old ones in SECRET_KEY_FALLBACKS."""

    with open_host(tmp_path) as host:
        client = host.client()
        client.get("/chat/")
        before = _owner(host, client)
        host.app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["for tests only"])

        assert _owner(host, client) == before


def test_a_site_without_a_key_gets_one_of_our_own(tmp_path: Path) -> None:
    with open_host(tmp_path) as host:
        host.app.secret_key = None
        first = host.client()
        owner = _owner(host, first)
        path = tmp_path / "instance" / "chatstream.key"

        assert path.stat().st_mode & 0o777 == 0o600
        assert len(path.read_text()) == 64
        assert _owner(host, first) == owner

        found = []
        path.unlink()
        together(lambda: found.append(host.client().get("/chat/").status_code), 8)
        assert found == [200] * 8
        assert [p.name for p in path.parent.glob("chatstream.k*")] == ["chatstream.key"]


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    with open_host(tmp_path) as host:
        host.app.secret_key = None
        host.app.instance_path = str(tmp_path / "instance" / "chatstream.sqlite3" / "below")
        response = host.client().get(f"{API}/conversations")

    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "storage_unavailable"


def test_the_sites_own_word_counts(host: Host) -> None:
    host.chat.owner_loader(lambda: "ada")
    response = host.client().get("/chat/")

    assert "Set-Cookie" not in response.headers
    assert _owner(host, host.client()) == "ada"


def test_without_the_sites_word_the_visitor_is_anonymous(host: Host) -> None:
    host.chat.owner_loader(lambda: None)

    assert _owner(host, host.client()).startswith("anonymous:")


def test_an_owner_is_loaded_once_a_request(host: Host) -> None:
    calls: list[int] = []

    @host.chat.owner_loader
    def load() -> str:
        calls.append(threading.get_ident())

        return "ada"

    host.client().get("/chat/")
    assert len(calls) == 1


@pytest.mark.parametrize("wish", ["sign_in", "hidden"])
def test_a_site_may_admit_nobody(tmp_path: Path, wish: str) -> None:
    with open_host(tmp_path, CHATSTREAM_ANONYMOUS=wish) as host:
        response = host.client().get("/chat/", headers={"Accept": "text/html"})

    assert response.status_code == 401
    assert "Please sign in to chat." in response.get_data(as_text=True)
    assert "Set-Cookie" not in response.headers


class Plain(UserMixin):
    """A user that is no row."""

    id = "ada"


def _add_login(app: Flask) -> None:
    """A site with users in its own table, and one that is no row."""

    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{app.instance_path}/site.sqlite3"
    db = SQLAlchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)

        def get_id(self) -> str:
            return "a-token-that-changes"

    manager = LoginManager()
    users: dict[str, Any] = {"a-token-that-changes": lambda: db.session.get(User, 7)}
    manager.user_loader(lambda id: users.get(id, Plain)())

    @app.get("/in/<kind>")
    def sign_in(kind: str) -> str:
        login_user(db.session.get(User, 7) if kind == "row" else Plain())

        return "in"

    @app.get("/out")
    def sign_out() -> str:
        logout_user()

        return "out"

    db.init_app(app)
    manager.init_app(app)

    with app.app_context():
        db.create_all()
        db.session.add(User(id=7))
        db.session.commit()


@pytest.mark.parametrize(("kind", "owner"), [("row", "user:7"), ("plain", "ada")])
def test_a_user_of_flask_login(tmp_path: Path, kind: str, owner: str) -> None:
    with open_host(tmp_path, _add_login) as host:
        client = host.client()
        anonymous = _owner(host, client)
        before = chat(client)["conversation_id"]
        client.get(f"/in/{kind}")

        assert _owner(host, client) == owner
        assert client.get(f"{API}/conversations/{before}").status_code == 404

        client.get("/out")

        assert _owner(host, client) == anonymous
        assert client.get(f"{API}/conversations/{before}").status_code == 200


def test_the_cookie_tells_nothing(host: Host) -> None:
    client = host.client()
    header = client.get("/chat/").headers["Set-Cookie"]
    value = parse_cookie(header)[COOKIE]

    assert "for tests only" not in value
    assert len(value) < 200


class Account:
    """A user object, as a site may return it by mistake."""


@pytest.mark.parametrize("found", [Account(), True, b"ada", ("user", 1), 1.5])
def test_what_has_no_lasting_name_is_no_owner(host: Host, found: Any) -> None:
    """With ``str()`` of an object the chats were another's at the next request."""

    host.chat.owner_loader(lambda: found)

    with pytest.raises(TypeError, match=r"owner_loader returned .* a string that stays the same"):
        host.client().get(f"{API}/conversations")


@pytest.mark.parametrize(("found", "owner"), [("ada", "ada"), (7, "7")])
def test_a_string_or_a_whole_number_is_an_owner(host: Host, found: Any, owner: str) -> None:
    host.chat.owner_loader(lambda: found)

    assert _owner(host, host.client()) == owner


@pytest.mark.parametrize("found", [None, "", 0, False])
def test_what_is_nothing_is_nobody(host: Host, found: Any) -> None:
    host.chat.owner_loader(lambda: found)

    assert _owner(host, host.client()).startswith("anonymous:")


@pytest.fixture
def desks(host: Host) -> dict[str, ChatStream]:
    """Two chats of one site, and a view that asks in both."""

    desks = {name: ChatStream(name, provider=host.provider) for name in ("sales", "support")}

    for name, desk in desks.items():
        host.app.register_blueprint(desk, url_prefix=f"/{name}")

    @host.app.post("/both")
    def both() -> list[str]:
        return [desk.ask("Hi").wait(10).owner for desk in desks.values()]

    return desks


def test_each_chat_asks_its_own_loader(host: Host, desks: dict[str, ChatStream]) -> None:
    """The second chat of a request was stored under the owner of the first."""

    asked: list[str] = []

    for name, desk in desks.items():

        @desk.owner_loader
        def owner(name: str = name) -> str:
            asked.append(name)
            return f"ada at {name}"

    assert host.client().post("/both").get_json() == ["ada at sales", "ada at support"]
    assert asked == ["sales", "support"]


def test_a_new_visitor_of_two_chats_is_one_visitor(
    host: Host, desks: dict[str, ChatStream]
) -> None:
    for desk in desks.values():
        desk.owner_loader(lambda: None)

    client = host.client()
    first, second = client.post("/both").get_json()
    assert first == second
    assert client.post("/both").get_json() == [first, first]
