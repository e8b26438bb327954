"""Saved conversations through the API: create, list, read, rename, delete, and their messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from flask_chatstream.models import (
    Conversation,
    Generation,
    Message,
    journal_for,
)
from flask_chatstream.providers.scripted import Pause
from tests.hosts import API, Host, ask_in, begin, chat, open_host

pytest_plugins = ["tests.engine_fixtures"]
LIST = f"{API}/conversations"


@pytest.fixture
def host(tmp_path: Path, stored: dict[str, str]) -> Iterator[Host]:
    with open_host(tmp_path, **stored) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def _create(client: FlaskClient, **body: Any) -> dict[str, Any]:
    response = client.post(LIST, json=body)
    assert response.status_code == 201, response.get_data(as_text=True)
    value: dict[str, Any] = response.get_json()

    return value


def _list(client: FlaskClient, **query: object) -> tuple[list[str], str | None]:
    response = client.get(LIST, query_string=query)
    assert response.status_code == 200
    value = response.get_json()

    return [c["id"] for c in value["conversations"]], value["next_cursor"]


@pytest.mark.every_database
def test_a_new_conversation_is_read_back(client: FlaskClient) -> None:
    made = _create(
        client, title="Tea", model="larger", context_window=4000, metadata={"from": "here"}
    )
    read = client.get(f"{LIST}/{made['id']}").get_json()

    assert read == made
    assert (read["title"], read["model"], read["context_window"]) == ("Tea", "larger", 4000)
    assert (read["metadata"], read["message_count"], read["active_leaf"]) == (
        {"from": "here"},
        0,
        None,
    )
    assert read["created_at"] == read["updated_at"] == read["last_message_at"]
    assert read["created_at"].endswith("+00:00")


@pytest.mark.every_database
def test_the_counters_follow(client: FlaskClient, host: Host) -> None:
    asked = chat(client, "What is a leap year, and who needs one?")
    read = client.get(f"{LIST}/{asked['conversation_id']}").get_json()

    assert (read["message_count"], read["active_leaf"]) == (2, asked["message_id"])
    assert read["title"] == "What is a leap year, and who needs one?"
    assert read["last_message_at"] >= read["created_at"]


@pytest.mark.every_database
def test_the_list_has_the_latest_activity_first(client: FlaskClient) -> None:
    ids = [_create(client)["id"] for _ in range(3)]
    chat(client, conversation_id=ids[0])

    assert _list(client) == ([ids[0], ids[2], ids[1]], None)


@pytest.mark.every_database
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_pages_of_the_list_are_the_list(client: FlaskClient, limit: int) -> None:
    ids = [_create(client)["id"] for _ in range(7)][::-1]
    by_cursor: list[str] = []
    cursor: str | None = ""

    while cursor is not None:
        page, cursor = _list(client, limit=limit, cursor=cursor)
        assert len(page) <= limit
        by_cursor += page
        _create(client) if len(by_cursor) == limit else None

    by_offset = [id for n in range(0, 8, limit) for id in _list(client, limit=limit, offset=n)[0]]

    assert by_cursor == ids
    assert by_offset[1:8] == ids[: len(by_offset[1:8])]


def test_a_page_has_50_conversations_and_200_at_most(host: Host, client: FlaskClient) -> None:
    for _ in range(51):
        _create(client)

    assert len(_list(client)[0]) == 50
    assert _list(client)[1] is not None
    assert len(_list(client, limit=200)[0]) == 51
    assert client.get(LIST, query_string={"limit": 201}).status_code == 400


def test_a_page_has_100_messages_and_200_at_most(client: FlaskClient) -> None:
    turns = [{"role": ("user", "assistant")[n % 2], "content": str(n)} for n in range(101)]
    asked = client.post(f"{API}/chat", json={"messages": turns, "stream": False}).get_json()
    url = f"{LIST}/{asked['conversation_id']}/messages"
    first = client.get(url).get_json()
    second = client.get(url, query_string={"cursor": first["next_cursor"]}).get_json()
    whole = client.get(url, query_string={"limit": 200}).get_json()
    middle = client.get(url, query_string={"limit": 3, "offset": 50}).get_json()

    assert [m["content"] for m in first["messages"]] == [str(n) for n in range(100)]
    assert [m["content"] for m in second["messages"]] == ["100", "A scripted answer."]
    assert (second["next_cursor"], whole["next_cursor"]) == (None, None)
    assert whole["messages"] == first["messages"] + second["messages"]
    assert [m["content"] for m in middle["messages"]] == ["50", "51", "52"]
    assert middle["next_cursor"] is not None
    assert client.get(url, query_string={"limit": 201}).status_code == 400


@pytest.mark.every_database
def test_the_messages_of_another_branch(client: FlaskClient, host: Host) -> None:
    host.provider.enqueue("One.")
    host.provider.enqueue("Two.")
    first = chat(client)
    second = client.post(f"{API}/messages/{first['message_id']}/regenerate").get_json()
    host.wait_end(second["message_id"])
    url = f"{LIST}/{first['conversation_id']}/messages"

    def texts(**query: str) -> list[str]:
        found = client.get(url, query_string=query).get_json()["messages"]

        return [m["content"] for m in found]

    assert texts() == ["Hi", "Two."]
    assert texts(leaf=first["message_id"]) == ["Hi", "One."]


@pytest.mark.parametrize("name", ["leaf", "cursor"])
@pytest.mark.parametrize("value", ["x", "%00", "0" * 32, "1.5", "[]"])
def test_a_message_that_is_not_there(client: FlaskClient, name: str, value: str) -> None:
    asked = chat(client)
    url = f"{LIST}/{asked['conversation_id']}/messages?{name}={value}"

    assert client.get(url).status_code == 404


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1.0", "", "9" * 5000, "²", "١", "1 "])
@pytest.mark.parametrize("where", ["", "messages"])
def test_an_odd_limit_is_refused_in_words(client: FlaskClient, limit: str, where: str) -> None:
    url = f"{LIST}/{_create(client)['id']}/messages" if where else LIST
    response = client.get(url, query_string={"limit": limit})

    assert response.status_code == 400
    assert response.get_json()["error"]["message"] == (
        "limit must be a whole number from 1 to 200."
    )


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 5000, "1e3"])
def test_an_odd_offset_is_refused(client: FlaskClient, offset: str) -> None:
    assert client.get(LIST, query_string={"offset": offset}).status_code == 400


@pytest.mark.every_database
def test_a_conversation_is_renamed(client: FlaskClient) -> None:
    asked = chat(client)
    url = f"{LIST}/{asked['conversation_id']}"
    response = client.patch(url, json={"title": "Räksmörgås 🎉"})

    assert response.get_json()["title"] == "Räksmörgås 🎉"
    assert client.get(url).get_json() == response.get_json()
    chat(client, "And?", conversation_id=asked["conversation_id"])
    assert client.get(url).get_json()["title"] == "Räksmörgås 🎉"


@pytest.mark.every_database
def test_a_deletion_leaves_nothing(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", gate := Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half")
    url = f"{LIST}/{asked['conversation_id']}"

    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == client.get(url).status_code == 404
    assert _list(client) == ([], None)
    gate.release()

    with host.read() as session:
        for table in (Conversation, Message, Generation, journal_for("sqlite")):
            assert session.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.every_database
def test_a_second_question_waits_for_the_answer(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half")
    url = f"{LIST}/{asked['conversation_id']}"
    response = client.post(f"{url}/messages", json={"content": "And?", "generate": True})

    assert response.status_code == 409
    assert response.get_json()["error"]["code"] == "generation_active"
    assert client.get(url).get_json()["message_count"] == 2
    client.post(f"{API}/messages/{asked['message_id']}/cancel")
    host.wait_end(ask_in(client, asked["conversation_id"], "And?")["message_id"])
    assert client.get(url).get_json()["message_count"] == 4
