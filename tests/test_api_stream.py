"""Following an answer through the API: ``/stream`` and its positions, ``/poll``, ``/status``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_chatstream.providers.scripted import Pause
from flask_chatstream.sse import ServerSentEvent
from flask_chatstream.views.api import stream
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
    serve,
    together,
)

pytest_plugins = ["tests.engine_fixtures"]
#: Code points that are two units of UTF-16, and what looks like the end of a line.
TEXT = "a🎉é\u2028b\r\n𝄞c\n\nd"
HOSTILE = [
    "1:-1",
    "1:999999999",
    "999:0",
    "1:",
    ":1",
    "1:1:1",
    "0x1:1",
    "1:1 ",
    "١:١",
    "1:1e3",
    "NaN:NaN",
    "9" * 5000,
    "1:" + "9" * 30,
    "' OR 1=1",
]


@pytest.fixture
def host(tmp_path: Path, stored: dict[str, str]) -> Iterator[Host]:
    with open_host(tmp_path, **stored) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def _follow(client: FlaskClient, conversation: str, last: str | None = None) -> TestResponse:
    headers = {} if last is None else {"Last-Event-ID": last}

    return client.get(f"{API}/conversations/{conversation}/stream", headers=headers, buffered=False)


def _apply(text: str, events: list[ServerSentEvent]) -> str:
    """What a client has after some events; it must never see a gap."""

    for event in events:
        value = event_json(event)

        if value["type"] == "reset":
            text = value["content"]
        elif value["type"] == "delta":
            assert value["offset"] <= len(text)
            text = text[: value["offset"]] + value["delta"]
            assert event.id is not None and int(event.id.split(":")[1]) == len(text)

    return text


def _poll(client: FlaskClient, conversation: str, since: str | None = None) -> dict[str, Any]:
    query = {} if since is None else {"since": since}
    response = client.get(f"{API}/conversations/{conversation}/poll", query_string=query)
    assert response.status_code == 200
    value: dict[str, Any] = response.get_json()

    return value


@pytest.mark.every_database
def test_a_viewer_from_the_start_gets_all(host: Host, client: FlaskClient) -> None:
    gates = [Pause(), Pause()]
    host.provider.enqueue(TEXT[:3], gates[0], TEXT[3:7], gates[1], TEXT[7:])
    asked = begin(client)
    host.wait_text(client, asked["message_id"], TEXT[:3])
    response = _follow(client, asked["conversation_id"])
    events = events_of(response)
    seen = [next(events)]

    for gate in gates:
        gate.release()
        seen.append(next(events))

    seen += events

    assert _apply("", seen) == content(client, asked["message_id"])["content"] == TEXT
    assert {event_json(event)["message_id"] for event in seen} == {asked["message_id"]}
    assert event_json(seen[-1])["type"] == "end"
    assert response.headers["Cache-Control"] == "no-store, no-transform"


@pytest.mark.parametrize("position", range(len(TEXT) + 1))
def test_a_stream_resumes_at_every_offset(host: Host, client: FlaskClient, position: int) -> None:
    gate = Pause()
    host.provider.enqueue(TEXT[:8], gate, TEXT[8:])
    asked = begin(client)
    host.wait_text(client, asked["message_id"], TEXT[:8])
    known = min(position, 8)
    response = _follow(client, asked["conversation_id"], f"{asked['generation_id']}:{known}")
    gate.release()
    seen = list(events_of(response))
    late = list(
        events_of(_follow(client, asked["conversation_id"], f"{asked['generation_id']}:{position}"))
    )

    assert _apply(TEXT[:known], seen) == TEXT
    assert _apply(TEXT[:position], late) == TEXT
    assert "reset" not in {event_json(event)["type"] for event in [*seen, *late]}
    assert event_json(seen[-1])["type"] == event_json(late[-1])["type"] == "end"


@pytest.mark.parametrize("last", HOSTILE)
def test_an_unknown_position_gets_the_whole(host: Host, client: FlaskClient, last: str) -> None:
    gate = Pause()
    host.provider.enqueue(TEXT[:5], gate, TEXT[5:])
    asked = begin(client)
    host.wait_text(client, asked["message_id"], TEXT[:5])
    response = _follow(client, asked["conversation_id"], last)
    gate.release()
    running = list(events_of(response))
    ended = list(events_of(_follow(client, asked["conversation_id"], last)))

    assert event_json(running[0])["type"] == event_json(ended[0])["type"] == "reset"
    assert _apply("something else", running) == _apply("something else", ended) == TEXT


@pytest.mark.every_database
def test_a_reset_leaves_no_hole(host: Host, client: FlaskClient) -> None:
    """Text that is committed between the reset and the next event."""

    gate = Pause()
    host.provider.enqueue("Seen.", gate, " Committed meanwhile.", Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Seen.")
    events = events_of(_follow(client, asked["conversation_id"], "unknown"))
    seen = [next(events)]
    gate.release()
    host.wait_text(client, asked["message_id"], "Seen. Committed meanwhile.")
    client.post(f"{API}/messages/{asked['message_id']}/cancel")
    seen += events

    assert _apply("", seen) == "Seen. Committed meanwhile."


def test_the_position_may_stand_in_the_address(host: Host, client: FlaskClient) -> None:
    asked = chat(client)
    url = f"{asked['stream_url']}?last_event_id={asked['generation_id']}:10"
    events = list(events_of(client.get(url)))

    assert _apply(asked["content"][:10], events) == asked["content"]
    assert event_json(events[0])["offset"] == 10


@pytest.mark.every_database
def test_a_viewer_who_comes_after_the_end_gets_the_text(host: Host, client: FlaskClient) -> None:
    asked = chat(client)
    events = list(events_of(client.get(asked["stream_url"])))

    assert _apply("", events) == asked["content"]
    assert event_json(events[-1]) == {
        "type": "end",
        "message_id": asked["message_id"],
        "status": "completed",
    }


def test_a_conversation_without_an_answer_ends_at_once(client: FlaskClient) -> None:
    conversation = client.post(f"{API}/conversations", json={}).get_json()["id"]
    events = [event_json(event) for event in events_of(_follow(client, conversation))]

    assert events == [{"type": "end", "message_id": None, "status": "idle"}]


@pytest.mark.every_database
def test_a_stream_ends_when_its_conversation_is_deleted(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half")
    events = events_of(_follow(client, asked["conversation_id"]))
    first = event_json(next(events))
    client.delete(f"{API}/conversations/{asked['conversation_id']}")
    rest = [event_json(event) for event in events]

    assert first["delta"] == "Half"
    assert [(event["type"], event["status"]) for event in rest] == [("end", "gone")]


@pytest.mark.parametrize("asks", [True, False])
def test_a_viewer_comes_back_after_a_minute_and_loses_nothing(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    """A stream went on as long as its answer, whatever the site had to say meanwhile."""

    monkeypatch.setattr(stream, "LIFETIME_SECONDS", 0.2)
    gate = Pause()
    host.provider.enqueue(TEXT[:3], gate, TEXT[3:])

    if asks:
        body = {"message": "Hi"}
        seen = list(events_of(client.post(f"{API}/chat", json=body, buffered=False)))
        asked = event_json(seen.pop(0))
    else:
        asked = begin(client)
        host.wait_text(client, asked["message_id"], TEXT[:3])
        seen = list(events_of(_follow(client, asked["conversation_id"])))

    host.wait_text(client, asked["message_id"], TEXT[:3])
    assert "end" not in {event_json(event)["type"] for event in seen}
    gate.release()
    last = f"{asked['generation_id']}:0"

    while not seen or event_json(seen[-1])["type"] != "end":
        last = seen[-1].id if seen else last
        seen += events_of(_follow(client, asked["conversation_id"], last))

    assert _apply("", seen) == TEXT
    assert "reset" not in {event_json(event)["type"] for event in seen}


def test_who_comes_back_is_asked_anew(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LIFETIME_SECONDS", 0.2)
    host.provider.enqueue("Half", Pause())
    asked = begin(client)
    events = events_of(_follow(client, asked["conversation_id"]))
    next(events)
    host.chat.authorize(lambda act, owner, object: act != "read")

    assert "end" not in {event_json(event)["type"] for event in events}
    assert _follow(client, asked["conversation_id"]).status_code == 403


def test_many_viewers_get_the_same_over_real_sockets(host: Host, client: FlaskClient) -> None:
    import httpx
    from httpx_sse import connect_sse

    gate = Pause()
    pieces = [f"{n} 🎉 " for n in range(200)]
    host.provider.enqueue(pieces[0], gate, *pieces[1:])
    host.chat.owner_loader(lambda: "ada")
    asked = begin(client)
    gate.wait_reached()
    found: list[str] = []

    with serve(host.app) as address:

        def view() -> None:
            with httpx.Client(timeout=20) as http:
                url = address + asked["stream_url"]
                with connect_sse(http, "GET", url) as source:
                    text = ""
                    for event in source.iter_sse():
                        value = event.json()
                        text += value.get("delta", "")
                        gate.release()
                    found.append(text)

        together(view, 8)

    assert found == ["".join(pieces)] * 8


@pytest.mark.every_database
def test_a_poll_gives_what_changed_and_nothing_twice(host: Host, client: FlaskClient) -> None:
    gates = [Pause(), Pause(), Pause()]
    host.provider.enqueue(gates[0], "One", gates[1], " two", gates[2])
    asked = begin(client)
    conversation, answer = asked["conversation_id"], asked["message_id"]
    gates[0].wait_reached()
    first = _poll(client, conversation)

    assert [m["id"] for m in first["messages"]] == [asked["user_message_id"], answer]
    assert (first["messages"][1]["content"], first["has_more_generating"]) == ("", True)

    still = _poll(client, conversation, first["now"])
    assert (still["messages"], still["has_more_generating"]) == ([], True)

    now = still["now"]

    for gate, text in ((gates[0], "One"), (gates[1], "One two")):
        gate.release()
        host.wait_text(client, answer, text)
        grown = _poll(client, conversation, now)
        now = grown["now"]

        assert [(m["id"], m["content"]) for m in grown["messages"]] == [(answer, text)]
        assert grown["messages"][0]["is_streaming"] is True
        assert _poll(client, conversation, now)["messages"] == []

    gates[2].release()
    host.wait_end(answer)
    ended = _poll(client, conversation, now)
    after = _poll(client, conversation, ended["now"])

    assert [(m["id"], m["status"]) for m in ended["messages"]] == [(answer, "completed")]
    assert (ended["has_more_generating"], after["messages"]) == (False, [])


@pytest.mark.parametrize(
    "since",
    [*HOSTILE, "", "0", "999999999999999999", "2.x.0.0.0", f"99.{'0' * 32}.1.1.1", "2026-01-01"],
)
def test_a_poll_from_nowhere_gives_everything(client: FlaskClient, since: str) -> None:
    asked = chat(client)
    found = _poll(client, asked["conversation_id"], since)
    ids = [m["id"] for m in found["messages"]]

    assert ids == [asked["user_message_id"], asked["message_id"]]
    assert _poll(client, asked["conversation_id"], found["now"])["messages"] == []


@pytest.mark.every_database
def test_a_poll_has_the_new_question_too(host: Host, client: FlaskClient) -> None:
    first = chat(client)
    now = _poll(client, first["conversation_id"])["now"]
    host.provider.enqueue("Half", Pause())
    second = ask_in(client, first["conversation_id"], "And?")
    host.wait_text(client, second["message_id"], "Half")
    found = _poll(client, first["conversation_id"], now)

    assert [(m["id"], m["content"]) for m in found["messages"]] == [
        (second["user_message_id"], "And?"),
        (second["message_id"], "Half"),
    ]


@pytest.mark.every_database
def test_the_status_follows_the_answer(host: Host, client: FlaskClient) -> None:
    gate = Pause()
    host.provider.enqueue("Half", gate, " and half.")
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half")
    url = f"{API}/conversations/{asked['conversation_id']}/status"
    running = client.get(url).get_json()
    last = content(client, asked["message_id"])["last_updated"]

    assert running == {
        "has_active_generation": True,
        "generating_message_id": asked["message_id"],
        "last_updated": last,
        "partial_content": "Half",
    }

    gate.release()
    host.wait_end(asked["message_id"])
    ended = client.get(url).get_json()

    assert ended["last_updated"] > running["last_updated"]
    assert ended == {
        "has_active_generation": False,
        "generating_message_id": None,
        "last_updated": ended["last_updated"],
        "partial_content": None,
    }


@pytest.mark.every_database
def test_the_last_update_moves_with_the_text(host: Host, client: FlaskClient) -> None:
    gate = Pause()
    host.provider.enqueue("One", gate, " two", Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "One")
    first = content(client, asked["message_id"])["last_updated"]
    gate.release()
    host.wait_text(client, asked["message_id"], "One two")

    assert content(client, asked["message_id"])["last_updated"] > first


def test_the_status_of_an_empty_conversation(client: FlaskClient) -> None:
    conversation = client.post(f"{API}/conversations", json={}).get_json()["id"]
    value = client.get(f"{API}/conversations/{conversation}/status").get_json()

    assert value == {
        "has_active_generation": False,
        "generating_message_id": None,
        "last_updated": None,
        "partial_content": None,
    }
