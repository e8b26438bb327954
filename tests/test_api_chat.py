"""Asking through the API: ``POST /chat``, and messages added to a conversation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_chatstream.errors import ProviderError
from flask_chatstream.events import Finished, Usage
from flask_chatstream.models import Generation, Message
from flask_chatstream.providers.scripted import Pause
from tests.hosts import (
    API,
    Host,
    ask_in,
    begin,
    chat,
    content,
    event_json,
    events_of,
    open_host,
    together,
)
from tests.logins import open_site
from tests.waiting import later

pytest_plugins = ["tests.engine_fixtures"]
IDS = ("conversation_id", "user_message_id", "message_id", "generation_id", "status", "stream_url")


@pytest.fixture
def host(tmp_path: Path, stored: dict[str, str]) -> Iterator[Host]:
    with open_host(tmp_path, **stored) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


@pytest.mark.every_database
def test_a_whole_answer(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Good", " day.", Usage(3, 2), Finished("stop", "scripted-2"))
    value = chat(client, "Hello")
    message = value["message"]

    assert value["content"] == message["content"] == "Good day."
    assert value["status"] == message["status"] == "completed"
    assert (message["id"], message["parent_id"]) == (value["message_id"], value["user_message_id"])
    assert (message["input_tokens"], message["output_tokens"]) == (3, 2)
    assert (message["finish_reason"], message["model"]) == ("stop", "scripted-2")
    assert [m.content for m in host.provider.requests[0].messages] == ["Hello"]


@pytest.mark.every_database
def test_the_ids_are_the_same_everywhere(host: Host, client: FlaskClient) -> None:
    value = chat(client, "Hello")
    conversation = f"{API}/conversations/{value['conversation_id']}"
    listed = client.get(f"{API}/conversations").get_json()["conversations"]
    messages = client.get(f"{conversation}/messages").get_json()["messages"]

    assert [c["id"] for c in listed] == [value["conversation_id"]]
    assert [m["id"] for m in messages] == [value["user_message_id"], value["message_id"]]
    assert {m["conversation_id"] for m in messages} == {value["conversation_id"]}
    assert client.get(conversation).get_json()["active_leaf"] == value["message_id"]
    assert content(client, value["message_id"])["id"] == value["message_id"]
    assert host.generation(value["generation_id"]).message_id == value["message_id"]
    assert value["stream_url"] == f"{conversation}/stream"
    assert value["message_id"] in client.get("/chat/").get_data(as_text=True)


@pytest.mark.every_database
def test_a_streamed_answer_is_the_stored_one(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("One, ", "two", " and\nthree 🎉")
    response = client.post(f"{API}/chat", json={"message": "Count"})
    start, *deltas, end = [event_json(event) for event in events_of(response)]

    assert response.mimetype == "text/event-stream"
    assert start["type"] == "start"
    assert set(IDS) <= start.keys()
    assert end == {"type": "end", "message_id": start["message_id"], "status": "completed"}
    assert {d["message_id"] for d in deltas} == {start["message_id"]}
    assert "".join(d["delta"] for d in deltas) == "One, two and\nthree 🎉"
    assert content(client, start["message_id"])["content"] == "One, two and\nthree 🎉"


def test_the_start_comes_before_the_first_token(host: Host, client: FlaskClient) -> None:
    gate = Pause()
    host.provider.enqueue(gate, "Done.")
    response = client.post(f"{API}/chat", json={"message": "Wait", "stream": True}, buffered=False)
    events = events_of(response)
    start = event_json(next(events))
    gate.wait_reached()

    assert (start["type"], start["status"]) == ("start", "generating")
    assert content(client, start["message_id"])["is_streaming"] is True

    gate.release()

    assert [event_json(event)["type"] for event in events] == ["delta", "end"]


@pytest.mark.every_database
def test_an_openai_shaped_list_is_stored_as_its_path(host: Host, client: FlaskClient) -> None:
    turns = [
        {"role": "system", "content": "Be brief.", "name": "site"},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two?"},
    ]
    host.provider.enqueue("2")
    body = {"messages": turns, "stream": False}
    value = client.post(f"{API}/chat", json=body).get_json()
    url = f"{API}/conversations/{value['conversation_id']}/messages"
    messages = client.get(url).get_json()["messages"]
    parents = [None, *(m["id"] for m in messages)]

    assert [(m["role"], m["content"]) for m in messages] == [
        *((turn["role"], turn["content"]) for turn in turns),
        ("assistant", "2"),
    ]
    assert [m["parent_id"] for m in messages] == parents[:-1]
    assert value["user_message_id"] == messages[3]["id"]
    assert [(m.role, m.content) for m in host.provider.requests[0].messages] == [
        (turn["role"], turn["content"]) for turn in turns
    ]
    assert client.get(f"{API}/conversations/{value['conversation_id']}").get_json()["title"] == (
        "One?"
    )


def test_the_conversation_goes_on(host: Host, client: FlaskClient) -> None:
    first = chat(client, "One?")
    second = chat(client, "Two?", conversation_id=first["conversation_id"])

    assert second["conversation_id"] == first["conversation_id"]
    assert host.message(second["user_message_id"]).parent_id == first["message_id"]
    assert [m.content for m in host.provider.requests[1].messages] == [
        "One?",
        first["content"],
        "Two?",
    ]


@pytest.mark.parametrize("temperature", [0, 0.7, 2])
def test_the_temperature_is_recorded_and_passed_on(
    host: Host, client: FlaskClient, temperature: float
) -> None:
    value = chat(client, temperature=temperature)

    assert host.provider.requests[0].temperature == temperature
    assert host.generation(value["generation_id"]).temperature == temperature


def test_the_model_is_recorded_and_passed_on(host: Host, client: FlaskClient) -> None:
    value = chat(client, model="larger")

    assert host.provider.requests[0].model == "larger"
    assert host.generation(value["generation_id"]).model == "larger"


@pytest.mark.every_database
def test_metadata_is_kept_with_the_question(client: FlaskClient, host: Host) -> None:
    value = chat(client, metadata={"page": "/help", "deep": [1, {"a": None}]})

    assert host.message(value["user_message_id"]).details == {
        "page": "/help",
        "deep": [1, {"a": None}],
    }


@pytest.mark.every_database
def test_the_same_key_again_is_a_replay(host: Host, client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k-1"}
    body = {"message": "Hi", "stream": False}
    first = client.post(f"{API}/chat", json=body, headers=headers).get_json()
    again = client.post(f"{API}/chat", json=body, headers=headers).get_json()
    streamed = client.post(f"{API}/chat", json={"message": "Hi"}, headers=headers)
    start, *deltas, end = [event_json(event) for event in events_of(streamed)]

    assert {name: first[name] for name in IDS} == {name: again[name] for name in IDS}
    assert again["content"] == first["content"]
    assert start["message_id"] == end["message_id"] == first["message_id"]
    assert "".join(d["delta"] for d in deltas) == first["content"]
    assert len(host.provider.requests) == 1


@pytest.mark.every_database
def test_the_same_key_at_once_makes_one_answer(host: Host, client: FlaskClient) -> None:
    conversation = begin(client)["conversation_id"]
    host.wait_end(_leaf(client, conversation))
    key = {"Idempotency-Key": "k-2"}
    url = f"{API}/conversations/{conversation}/messages"
    body = {"content": "Once", "generate": True}
    found: list[dict[str, object]] = []

    def send() -> None:
        found.append(client.post(url, json=body, headers=key).get_json())

    together(send, 10)

    assert len({value["message_id"] for value in found}) == 1
    assert len(found) == 10
    host.wait_end(str(found[0]["message_id"]))
    assert [r.messages[-1].content for r in host.provider.requests].count("Once") == 1


@pytest.mark.every_database
def test_a_key_belongs_to_its_owner(host: Host) -> None:
    headers = {"Idempotency-Key": "shared"}
    body = {"message": "Hi", "stream": False}
    ada, bob = (
        host.client().post(f"{API}/chat", json=body, headers=headers).get_json() for _ in range(2)
    )

    assert ada["message_id"] != bob["message_id"]


def test_a_key_of_a_stored_message_is_no_question(host: Host, client: FlaskClient) -> None:
    conversation = client.post(f"{API}/conversations", json={}).get_json()["id"]
    headers = {"Idempotency-Key": "k-3"}
    url = f"{API}/conversations/{conversation}/messages"
    stored = client.post(url, json={"content": "A note"}, headers=headers)
    asked = client.post(f"{API}/chat", json={"message": "Hi"}, headers=headers)

    assert stored.status_code == 201
    assert asked.status_code == 409
    assert asked.get_json()["error"]["code"] == "key_reused"


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_can_be_stored_without_an_answer(
    host: Host, client: FlaskClient, role: str
) -> None:
    conversation = client.post(f"{API}/conversations", json={}).get_json()["id"]
    url = f"{API}/conversations/{conversation}/messages"
    response = client.post(url, json={"role": role, "content": "A note"})
    value = response.get_json()

    assert response.status_code == 201
    assert value.keys() == set(IDS)
    assert (value["message_id"], value["generation_id"], value["status"]) == (
        None,
        None,
        "completed",
    )
    stored = host.message(value["user_message_id"])
    assert (stored.role, stored.content, stored.status) == (role, "A note", "completed")
    with host.read() as session:
        assert session.scalars(select(Generation)).all() == []
    assert host.provider.requests == []


def test_a_stored_message_is_answered_with_generate(host: Host, client: FlaskClient) -> None:
    value = begin(client, "Hello")

    assert value.keys() == set(IDS)
    assert value["status"] == "generating"
    assert host.wait_end(value["message_id"]).content == "A scripted answer."
    assert value["stream_url"].endswith(f"{value['conversation_id']}/stream")


def test_a_message_goes_below_a_named_parent(host: Host, client: FlaskClient) -> None:
    first = chat(client, "One?")
    chat(client, "Two?", conversation_id=first["conversation_id"])
    value = ask_in(client, first["conversation_id"], "Other?", parent_id=first["message_id"])
    host.wait_end(value["message_id"])
    asked = [m.content for m in host.provider.requests[2].messages]

    assert asked == ["One?", first["content"], "Other?"]


@pytest.mark.every_database
def test_a_stop_keeps_what_was_written(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half an", Pause())
    value = begin(client)
    host.wait_text(client, value["message_id"], "Half an")
    url = f"{API}/messages/{value['message_id']}/cancel"
    stopped, again = client.post(url), client.post(url)

    assert stopped.get_json() == {
        "message_id": value["message_id"],
        "conversation_id": value["conversation_id"],
        "status": "cancelled",
        "stopped": True,
    }
    assert (again.status_code, again.get_json()["stopped"]) == (200, False)
    assert again.get_json()["status"] == "cancelled"
    found = content(client, value["message_id"])
    assert (found["content"], found["status"], found["is_streaming"]) == (
        "Half an",
        "cancelled",
        False,
    )


def test_a_stop_of_a_finished_answer_changes_nothing(host: Host, client: FlaskClient) -> None:
    value = chat(client)
    response = client.post(f"{API}/messages/{value['message_id']}/cancel")

    assert (response.status_code, response.get_json()["status"]) == (200, "completed")
    assert response.get_json()["stopped"] is False
    assert client.post(f"{API}/messages/{value['user_message_id']}/cancel").status_code == 200


def test_a_stop_ends_the_one_who_waits(host: Host, client: FlaskClient) -> None:
    gate = Pause()
    host.provider.enqueue("Half", gate)
    found: list[dict[str, object]] = []
    client.get("/chat/")
    thread = threading.Thread(target=lambda: found.append(chat(client)), daemon=True)
    thread.start()
    gate.wait_reached()

    with host.read() as session:
        id = session.scalar(select(Message.id).where(Message.status == "generating"))

    client.post(f"{API}/messages/{id}/cancel")
    thread.join(10)

    assert [(value["status"], value["content"]) for value in found] == [("cancelled", "Half")]


def _ask_whole(client: FlaskClient, key: str) -> TestResponse:
    body = {"message": "Hi", "stream": False}

    return client.post(f"{API}/chat", json=body, headers={"Idempotency-Key": key})


def test_a_whole_answer_without_a_seat_is_refused_and_asked_again(tmp_path: Path) -> None:
    """It held one of the server's threads for as long as the answer took, whoever came after."""

    with open_host(tmp_path, CHATSTREAM_MAX_STREAMS=1) as host:
        client, gate = host.client(), Pause()
        host.provider.enqueue("First.", gate)
        asked = begin(client, "First?")
        stream = client.get(asked["stream_url"], buffered=False)
        next(events_of(stream))
        refused = _ask_whole(client, "k-4")
        stored = client.get(f"{API}/conversations").get_json()["conversations"]
        stream.close()
        gate.release()

        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        assert refused.get_json()["error"]["code"] == "streams_taken"
        assert [c["id"] for c in stored] == [asked["conversation_id"]]
        assert _ask_whole(client, "k-4").get_json()["content"] == "A scripted answer."
        assert host.state.runtime.seats.taken == 0


def test_where_nobody_may_wait_an_answer_is_asked_for_and_polled(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_MAX_STREAMS=0) as host:
        client = host.client()
        refused = _ask_whole(client, "k-5")
        body, key = {"message": "Hi", "stream": True}, {"Idempotency-Key": "k-5"}
        streamed = client.post(f"{API}/chat", json=body, headers=key)
        start = event_json(next(events_of(streamed)))

        assert refused.status_code == 503
        assert "Retry-After" not in refused.headers
        assert '"stream": true' in refused.get_json()["error"]["message"]
        assert start["type"] == "start"
        host.wait_end(start["message_id"])
        assert content(client, start["message_id"])["content"] == "A scripted answer."


@pytest.mark.parametrize("end", ["", "cancel", "delete"])
def test_who_waits_for_a_whole_answer_has_a_seat(host: Host, client: FlaskClient, end: str) -> None:
    gate, seats = Pause(), host.state.runtime.seats
    host.provider.enqueue("Half", gate)
    client.get("/chat/")
    waiting = later(lambda: _ask_whole(client, "k-6"))
    gate.wait_reached()
    assert seats.taken == 1
    _end(host, client, end)
    gate.release()
    waiting.result(10)

    assert seats.taken == 0
    assert _ask_whole(client, "x" * 65).status_code == 400
    assert seats.taken == 0


def _end(host: Host, client: FlaskClient, how: str) -> None:
    with host.read() as session:
        found = session.scalars(select(Message).where(Message.status == "generating")).one()

    if how == "cancel":
        client.post(f"{API}/messages/{found.id}/cancel")
    elif how == "delete":
        client.delete(f"{API}/conversations/{found.conversation_id}")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_who_is_sent_away_waits_no_longer_for_a_whole_answer(
    tmp_path: Path, elsewhere: bool
) -> None:
    """F46: a log-out ended streams, and gave a whole answer to whoever had asked for it."""

    url = f"sqlite:///{tmp_path}/chat.sqlite3"

    with open_site(tmp_path / "a", url) as host, open_site(tmp_path / "b", url) as other:
        client, gate = host.client(), Pause()
        host.provider.enqueue("Half", gate, " and half.")
        client.get("/in/ada")
        waiting = later(lambda: _ask_whole(client, "k-7"))
        gate.wait_reached()
        away = other if elsewhere else host

        with away.app.app_context():
            away.chat.revoke("ada")

        refused = waiting.result(10)

        assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "owner_changed")
        assert "Half" not in refused.get_data(as_text=True)
        gate.release()
        again = _ask_whole(client, "k-7").get_json()
        assert (again["status"], again["content"]) == ("completed", "Half and half.")
        assert len(host.provider.requests) == 1


@pytest.mark.every_database
def test_another_answer_stands_beside_the_first(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("First.")
    host.provider.enqueue("Second.")
    first = chat(client, "Hi")
    key = {"Idempotency-Key": "k"}
    response = client.post(f"{API}/messages/{first['message_id']}/regenerate", headers=key)
    second = response.get_json()
    host.wait_end(second["message_id"])
    replay = client.post(f"{API}/messages/{first['message_id']}/regenerate", headers=key)
    url = f"{API}/conversations/{first['conversation_id']}"
    shown = client.get(f"{url}/messages").get_json()["messages"]

    assert response.status_code == 201
    assert second.keys() == set(IDS)
    assert replay.get_json() == {**second, "status": "completed"}
    assert second["user_message_id"] == first["user_message_id"]
    assert second["message_id"] != first["message_id"]
    assert [m["content"] for m in shown] == ["Hi", "Second."]
    assert content(client, first["message_id"])["content"] == "First."
    assert [m.content for m in host.provider.requests[1].messages] == ["Hi"]
    assert client.get(url).get_json()["message_count"] == 3


def test_a_failed_answer_is_said_with_what_was_written(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", ProviderError("overloaded", "canary-key", retryable=True))
    response = client.post(f"{API}/chat", json={"message": "Hi", "stream": False})
    value = response.get_json()

    assert response.status_code == 502
    assert value["error"]["code"] == "overloaded"
    assert value["error"]["message"] == "The model is overloaded."
    assert len(value["error"]["request_id"]) == 32
    assert (value["content"], value["status"]) == ("Half", "error")
    assert value["message"]["error"]["code"] == "overloaded"
    assert "canary" not in response.get_data(as_text=True)


def test_a_failed_answer_ends_its_stream_with_the_code(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", ProviderError("timeout", "canary-key"))
    response = client.post(f"{API}/chat", json={"message": "Hi"})
    events = [event_json(event) for event in events_of(response)]

    assert [event["type"] for event in events] == ["start", "delta", "end"]
    assert (events[-1]["status"], events[-1]["error_code"]) == ("error", "timeout")
    assert host.message(events[0]["message_id"]).error_code == "timeout"


def _leaf(client: FlaskClient, conversation: str) -> str:
    leaf: str = client.get(f"{API}/conversations/{conversation}").get_json()["active_leaf"]

    return leaf


@pytest.mark.every_database
def test_a_list_in_a_conversation_is_a_branch_from_its_beginning(
    host: Host, client: FlaskClient
) -> None:
    host.provider.enqueue("first")
    first = client.post("/chat/api/v1/chat", json={"message": "one", "stream": False}).get_json()
    host.provider.enqueue("second")
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "first"},
        {"role": "user", "content": "two"},
    ]
    client.post(
        "/chat/api/v1/chat",
        json={
            "messages": turns,
            "conversation_id": first["conversation_id"],
            "stream": False,
        },
    )
    asked = host.provider.requests[-1].messages

    assert [message.content for message in asked] == ["one", "first", "two"]


def test_an_unchanged_answer_is_not_sent_again(client: FlaskClient) -> None:
    url = "/chat/api/v1/conversations"
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
