"""The database is away, read-only, or lacks our tables: 503 in words, nothing half done (F19)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, select

from flask_chatstream import ChatStream, migrate
from flask_chatstream.models import Conversation, metadata_for, new_id
from flask_chatstream.providers.scripted import ScriptedProvider
from tests.hosts import API, HTML, HTMX, Host, chat, open_host
from tests.services import execute
from tests.urls import ROUTES, Made, Route, call

NEED_STORAGE = tuple(
    r for r in ROUTES if not any(w in r.rule for w in ("static", "token", "healthz", "doctor"))
)
WRITING = tuple(r for r in NEED_STORAGE if r.method != "GET" and "<message_id>" not in r.rule)
CANARY = "canary-3c1e"


@pytest.fixture
def host(tmp_path: Path, database_url: str) -> Iterator[Host]:
    """A chat in a database of its own, whose address is a secret."""

    config = {"CHATSTREAM_DATABASE_URI": database_url}

    with open_host(tmp_path, **config) as host:
        host.chat.owner_loader(lambda: "ada")

        yield host


def _drop_tables(url: str) -> None:
    engine = create_engine(url)
    metadata_for(engine.dialect.name).drop_all(engine)
    engine.dispose()


def _check(host: Host, made: Made, routes: tuple[Route, ...] = NEED_STORAGE) -> None:
    for route in routes:
        response = call(host.client(), route, made, HTML)
        words = response.get_data(as_text=True)

        assert response.status_code == 503, (route, words)
        assert "database does not answer just now. Please try again." in words
        assert response.headers["Retry-After"] == "2"
        assert "Traceback" not in words and "postgres" not in words and "sqlite" not in words


@pytest.mark.every_database
def test_tables_that_are_gone(host: Host, database_url: str) -> None:
    asked = chat(host.client())
    made = Made(asked["conversation_id"], asked["user_message_id"], asked["message_id"])
    _drop_tables(database_url)

    _check(host, made)


@pytest.mark.every_database
def test_a_question_that_could_not_be_stored_keeps_its_text(host: Host, database_url: str) -> None:
    chat(host.client())
    _drop_tables(database_url)
    client = host.client()
    data = {"content": "My <typed> text", "key": "k"}
    page = client.post("/chat/c", data=data, headers=HTML).get_data(as_text=True)
    part = client.post("/chat/c", data=data, headers=HTMX)

    assert "My &lt;typed&gt; text</textarea>" in page
    assert 'name="key" value="k"' in page
    assert 'data-code="storage_unavailable" data-retry-after="2"' in part.get_data(as_text=True)


@pytest.mark.every_database
def test_a_database_that_comes_back(host: Host, database_url: str) -> None:
    client = host.client()
    chat(client)
    _drop_tables(database_url)
    assert client.get(f"{API}/conversations").status_code == 503
    execute(database_url, f"DROP TABLE {migrate.VERSION_TABLE}")
    engine = create_engine(database_url)
    migrate.upgrade(engine)
    engine.dispose()

    assert client.get(f"{API}/conversations").get_json()["conversations"] == []
    assert chat(client)["status"] == "completed"


def test_a_file_that_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "site.db"
    app, client = _host_with(f"sqlite:///{path}", tmp_path, shared=True)
    asked = chat(client)
    app.extensions["chatstream"].close()
    made = Made(asked["conversation_id"], asked["user_message_id"], asked["message_id"])
    app, client = _host_with(f"sqlite:///file:{path}?mode=ro&uri=true", tmp_path, shared=True)

    assert client.get(f"{API}/conversations").get_json()["conversations"] != []
    assert client.get(f"/chat/c/{made.conversation_id}").status_code == 200

    for route in WRITING:
        response = call(client, route, made)
        assert response.status_code == 503, (route, response.get_data(as_text=True))

    app.extensions["chatstream"].close()


def test_a_server_that_allows_reading_only(tmp_path: Path, postgres_url: str) -> None:
    with open_host(tmp_path, CHATSTREAM_DATABASE_URI=postgres_url) as host:
        host.chat.owner_loader(lambda: "ada")
        asked = chat(host.client())

    made = Made(asked["conversation_id"], asked["user_message_id"], asked["message_id"])
    only = f"{postgres_url}&options=-c%20default_transaction_read_only%3Don"
    app, client = _host_with(only, tmp_path)
    assert client.get(f"/chat/c/{made.conversation_id}").status_code == 200

    for route in WRITING:
        response = call(client, route, made)
        assert response.status_code == 503, (route, response.get_data(as_text=True))

    app.extensions["chatstream"].close()


def test_an_empty_database_that_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "chat.db").touch()
    app, client = _host_with(f"sqlite:///file:{tmp_path / 'chat.db'}?mode=ro&uri=true", tmp_path)
    response = client.get(f"{API}/conversations")

    assert response.status_code == 503
    assert response.get_json()["error"]["code"] in {"storage_unavailable", "not_set_up"}
    app.extensions["chatstream"].close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody:canary-3c1e@127.0.0.1:1/none?connect_timeout=2"
    app, client = _host_with(url, tmp_path)

    for response in (client.get("/chat/", headers=HTML), client.get(f"{API}/conversations")):
        assert response.status_code == 503
        assert CANARY not in response.get_data(as_text=True)

    app.extensions["chatstream"].close()


def _host_with(url: str, folder: Path, *, shared: bool = False) -> tuple[Flask, FlaskClient]:
    """A site with the chat in a database of the chat's own, or in the site's."""

    chat = ChatStream(provider=ScriptedProvider())
    chat.owner_loader(lambda: "ada")
    app = Flask("host", instance_path=str(folder / "other"))
    app.config.update(TESTING=True, SECRET_KEY="x")
    app.config["SQLALCHEMY_DATABASE_URI" if shared else "CHATSTREAM_DATABASE_URI"] = url

    if shared:
        SQLAlchemy(app)

    app.register_blueprint(chat)

    return app, app.test_client()


HOSTILE = ["\0", "a\0b", "\ud800", "'; DROP TABLE chatstream_message; --", "%", "x" * 5000]


@pytest.mark.parametrize("evil", HOSTILE, ids=lambda text: ascii(text[:9]))
def test_hostile_text_reaches_no_database_error(host: Host, evil: str) -> None:
    """PostgreSQL refuses a NUL, every driver a lone surrogate."""

    client = host.client()
    asked = chat(client)
    conversation = f"{API}/conversations/{asked['conversation_id']}"
    query = evil.encode("utf-8", "surrogatepass")
    found = [
        client.post(f"{API}/chat", json={"message": f"a{evil}", "stream": False}),
        client.post(f"{API}/chat", json={"message": "a", "model": evil[:100], "stream": False}),
        client.post(f"{API}/chat", json={"message": "a", "metadata": {evil: evil}}, buffered=True),
        client.post(f"{API}/conversations", json={"title": evil[:255]}),
        client.patch(conversation, json={"title": evil[:255]}),
        client.post("/chat/c", data={"content": query, "key": "k"}),
        client.post("/chat/c", data={"content": "a", "key": query}),
        *(
            client.get(url, query_string={name: query})
            for url, name in (
                (f"{API}/conversations", "cursor"),
                (f"{conversation}/messages", "cursor"),
                (f"{conversation}/messages", "leaf"),
                (f"{conversation}/poll", "since"),
                (f"{conversation}/stream", "last_event_id"),
                (f"/chat/c/{asked['conversation_id']}", "leaf"),
                (f"/chat/c/{asked['conversation_id']}/older", "before"),
                (f"/chat/c/{asked['conversation_id']}/events", "cursor"),
                ("/chat/list", "active"),
                ("/chat/", "view"),
            )
        ),
    ]

    assert {response.status_code for response in found} <= {200, 201, 303, 400, 404}


def test_an_id_of_another_shape_reaches_no_database(host: Host) -> None:
    client = host.client()
    client.get("/chat/")

    for id in ("%00", "%ED%A0%80", "x" * 5000, new_id().upper()):
        for route in NEED_STORAGE:
            if route.is_of_object:
                assert call(client, route, Made(id, id, id)).status_code == 404


def test_an_owner_with_odd_letters(host: Host) -> None:
    for owner in ("ä🎉", "user:1:2", " ", "o'neil", "x" * 255):
        host.chat.owner_loader(lambda owner=owner: owner)
        asked = chat(host.client())

        with host.read() as session:
            found = session.get_one(Conversation, asked["conversation_id"])
            assert found.owner == owner


@pytest.mark.parametrize("owner", ["x" * 256, "a\0b", "\ud800"], ids=ascii)
def test_an_owner_that_no_column_holds_is_refused_and_not_cut(host: Host, owner: str) -> None:
    """Cut, two owners that begin alike would see each other's chats."""

    host.chat.owner_loader(lambda: owner)
    client = host.client()
    asked = client.post(f"{API}/chat", json={"message": "Hi", "stream": False})

    for response in (asked, client.get(f"{API}/conversations"), client.get("/chat/")):
        assert response.status_code == 400

    assert asked.get_json()["error"]["code"] == "invalid_request"

    with host.read() as session:
        assert session.scalars(select(Conversation.id)).all() == []
