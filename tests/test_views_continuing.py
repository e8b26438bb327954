"""Continue in the page and in the API: the same message goes on, for every viewer everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from flask_chatstream.errors import ProviderError
from flask_chatstream.events import Finished
from flask_chatstream.providers.scripted import Pause
from flask_chatstream.sse import ServerSentEvent
from tests.dom import Dom, Node
from tests.hosts import (
    API,
    HTML,
    HTMX,
    SSE,
    Host,
    begin,
    chat,
    content,
    event_json,
    events_of,
    open_host,
)

BEGUN = "# Title\n\nA *half"
REST = " done*.\n\n- one\n- two\n"
BROKEN = ProviderError("interrupted")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def broken(host: Host, client: FlaskClient, text: str = BEGUN) -> dict[str, Any]:
    """An answer that broke off behind its text."""

    host.provider.enqueue(text, BROKEN)
    asked = begin(client)
    host.wait_end(asked["message_id"])

    return asked


def go_on(client: FlaskClient, asked: dict[str, Any], **headers: str) -> dict[str, Any]:
    response = client.post(f"{API}/messages/{asked['message_id']}/continue", headers=headers)
    assert response.status_code == 201, response.get_data(as_text=True)
    value: dict[str, Any] = response.get_json()

    return value


def load(client: FlaskClient, asked: dict[str, Any]) -> Dom:
    page = client.get(f"/chat/c/{asked['conversation_id']}", headers=HTML)

    return Dom(page.get_data(as_text=True))


def cursor_of(dom: Dom) -> str:
    stream = next(node for node in dom.root.walk() if node.tag == "chat-stream")

    return stream.attributes["data-cursor"] or ""


def follow(client: FlaskClient, asked: dict[str, Any], cursor: str) -> Iterator[ServerSentEvent]:
    url = f"/chat/c/{asked['conversation_id']}/events?cursor={cursor}"

    return events_of(client.get(url, headers=SSE, buffered=False))


def apply_all(dom: Dom, events: Iterator[ServerSentEvent]) -> str:
    """Apply a stream to its end; the last cursor."""

    cursor = ""

    for event in events:
        cursor = event.id or cursor

        if event.event == "message":
            dom.apply(event.data)

    return cursor


def button(dom: Dom, name: str) -> Node | None:
    """The form of an act in the last message."""

    article = [node for node in dom.root.walk() if node.tag == "article"][-1]
    forms = [node for node in article.walk() if node.tag == "form"]

    return next((f for f in forms if f"/{name}" in (f.attributes["action"] or "")), None)


def test_the_api_continues_in_the_same_message(host: Host, client: FlaskClient) -> None:
    asked = broken(host, client)
    host.provider.enqueue(REST)
    again = go_on(client, asked)
    host.wait_end(asked["message_id"])
    stored = content(client, asked["message_id"])

    assert {k: v for k, v in again.items() if k != "generation_id"} == {
        k: v for k, v in asked.items() if k != "generation_id"
    }
    assert again["generation_id"] > asked["generation_id"]
    assert (stored["status"], stored["content"]) == ("completed", BEGUN + REST)


def test_one_key_continues_once(host: Host, client: FlaskClient) -> None:
    asked = broken(host, client)
    host.provider.enqueue(" more", BROKEN)
    first = go_on(client, asked, **{"Idempotency-Key": "k"})
    host.wait_end(asked["message_id"])
    second = go_on(client, asked, **{"Idempotency-Key": "k"})

    assert second == {**first, "status": "error"}
    assert content(client, asked["message_id"])["content"] == BEGUN + " more"
    taken = client.post(
        f"{API}/chat", json={"message": "Hi"}, headers={"Idempotency-Key": "k"}
    ).get_json()
    assert taken["error"]["code"] == "key_reused"


def test_what_cannot_be_continued_is_told_in_words(host: Host, client: FlaskClient) -> None:
    whole = chat(client)
    refused = client.post(f"{API}/messages/{whole['message_id']}/continue")
    question = client.post(f"{API}/messages/{whole['user_message_id']}/continue")
    form = client.post(f"/chat/m/{whole['message_id']}/continue", headers=HTML)

    assert (refused.status_code, question.status_code, form.status_code) == (409, 400, 409)
    assert refused.get_json()["error"]["code"] == "not_continuable"
    assert refused.get_json()["error"]["message"] == "This answer is complete."
    assert "This answer is complete." in form.get_data(as_text=True)

    asked = broken(host, client)
    host.state.runtime.draining = True
    refused = client.post(f"{API}/messages/{asked['message_id']}/continue")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("position", [0, len(BEGUN) - 1, len(BEGUN), len(BEGUN) + 3])
def test_a_position_of_the_broken_generation_is_good(
    host: Host, client: FlaskClient, position: int
) -> None:
    gate = Pause()
    asked = broken(host, client)
    host.provider.enqueue(REST[:3], gate, REST[3:])
    again = go_on(client, asked)
    host.wait_text(client, asked["message_id"], BEGUN + REST[:3])
    text = BEGUN + REST

    for id in (f"{asked['generation_id']}:{position}", f"{again['generation_id']}:{position}"):
        url = f"{asked['stream_url']}?last_event_id={id}"
        running = events_of(client.get(url, buffered=False))
        seen = [next(running)] if position < len(BEGUN) + 3 else []
        gate.release()
        seen += running
        host.wait_end(asked["message_id"])
        late = list(events_of(client.get(url)))

        for events in (seen, late):
            *deltas, end = [event_json(e) for e in events]
            assert "".join(d["delta"] for d in deltas) == text[position:]
            assert [d["type"] for d in deltas] == ["delta"] * len(deltas)
            assert (end["type"], end["status"]) == ("end", "completed")


def test_a_position_of_another_answer_is_not(host: Host, client: FlaskClient) -> None:
    asked, other = broken(host, client), broken(host, client)
    host.provider.enqueue(REST)
    go_on(client, asked)
    host.wait_end(asked["message_id"])
    url = f"{asked['stream_url']}?last_event_id={other['generation_id']}:3"
    reset, _ = [event_json(e) for e in events_of(client.get(url))]

    assert (reset["type"], reset["content"]) == ("reset", BEGUN + REST)


def test_a_viewer_of_another_worker_sees_it_break_off_and_go_on(tmp_path: Path) -> None:
    """Each host has an engine of its own on the one file; the viewer's learns all by its poller."""

    gates = [Pause(), Pause()]

    with open_host(tmp_path) as writer, open_host(tmp_path, reset=False) as other:
        mine, client = writer.client(), other.client()
        writer.provider.enqueue(BEGUN, gates[0], BROKEN)
        asked = begin(mine)
        client.set_cookie(*cookie(mine))
        other.wait_text(client, asked["message_id"], BEGUN)
        dom = load(client, asked)
        events = follow(client, asked, cursor_of(dom))
        next(events)
        gates[0].release()
        cursor = apply_all(dom, events)
        assert dom.messages() == load(client, asked).messages()
        assert dom.messages()[-1].status == "error"
        assert button(dom, "continue") is not None

        writer.provider.enqueue(REST[:6], gates[1], REST[6:])
        go_on(mine, asked)
        events = follow(client, asked, cursor)
        dom.apply(next(e.data for e in events if e.event == "message"))
        assert dom.messages()[-1].status == "generating"
        assert button(dom, "cancel") is not None and button(dom, "continue") is None
        gates[1].release()
        apply_all(dom, events)

        assert dom.messages() == load(client, asked).messages()
        assert dom.messages()[-1].status == "completed"
        assert content(client, asked["message_id"])["content"] == BEGUN + REST


def cookie(client: FlaskClient) -> tuple[str, str]:
    found = client.get_cookie("chatstream_owner")
    assert found is not None

    return found.key, found.value


def test_what_broke_off_is_shown_without_half_open_marks(host: Host, client: FlaskClient) -> None:
    asked = broken(host, client)
    last = load(client, asked).messages()[-1].blocks[-1]
    assert last[1:] == (True, "<p>A <em>half</em></p>")
    assert content(client, asked["message_id"])["content"] == BEGUN


def test_a_viewer_who_reads_after_the_break_gets_the_open_block(
    host: Host, client: FlaskClient
) -> None:
    """Stopped and continued between two looks: the blocks of the end are sealed on the page."""

    gates = [Pause(), Pause()]
    host.provider.enqueue(BEGUN, gates[0])
    asked = begin(client)
    host.wait_text(client, asked["message_id"], BEGUN)
    dom = load(client, asked)
    events = follow(client, asked, cursor_of(dom))
    next(events)
    client.post(f"{API}/messages/{asked['message_id']}/cancel")
    host.provider.enqueue(REST[:6], gates[1], REST[6:])
    go_on(client, asked)
    dom.apply(next(e.data for e in events if e.event == "message"))
    assert dom.messages()[-1].status == "generating"
    assert not dom.messages()[-1].blocks[-1][1]

    gates[1].release()
    apply_all(dom, events)
    assert dom.messages() == load(client, asked).messages()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_poll_that_missed_the_break_goes_on(
    host: Host, client: FlaskClient, headers: dict[str, str]
) -> None:
    """It broke off and was continued between two polls, of our script or of htmx alone."""

    gates = [Pause(), Pause()]
    host.provider.enqueue(BEGUN, gates[0])
    asked = begin(client)
    host.wait_text(client, asked["message_id"], BEGUN)
    dom = load(client, asked)
    url = f"/chat/c/{asked['conversation_id']}/events?cursor={cursor_of(dom)}"
    client.post(f"{API}/messages/{asked['message_id']}/cancel")
    host.provider.enqueue(REST[:6], gates[1], REST[6:])
    go_on(client, asked)
    host.wait_text(client, asked["message_id"], BEGUN + REST[:6])
    url = poll(client, dom, url, headers)
    assert dom.messages() == load(client, asked).messages()

    gates[1].release()
    host.wait_end(asked["message_id"])
    poll(client, dom, url, headers)
    assert dom.messages() == load(client, asked).messages()


def poll(client: FlaskClient, dom: Dom, url: str, headers: dict[str, str]) -> str:
    """Poll once; the address of the next poll."""

    page = url.partition("?")[0]

    if not headers:
        response = client.get(url)
        dom.apply(response.get_data(as_text=True))

        return f"{page}?cursor={response.headers['X-Cursor']}"

    response = client.get(url if "poll=" in url else f"{url}&poll=1", headers=headers)
    id = f"cs-c{page.split('/')[3]}-poll"
    dom.swap(response.get_data(as_text=True), id)
    poller = dom.find(id)

    return (poller.attributes.get("hx-get") if poller else None) or ""


def test_forms_alone_continue(host: Host, client: FlaskClient) -> None:
    asked = broken(host, client)
    form = button(load(client, asked), "continue")
    assert form is not None
    host.provider.enqueue(" more", BROKEN)
    plain = client.post(form.attributes["action"] or "", headers=HTML)
    host.wait_end(asked["message_id"])
    htmx = client.post(form.attributes["hx-post"] or "", headers=HTMX)
    host.wait_end(asked["message_id"])
    page = f"/chat/c/{asked['conversation_id']}"

    assert (plain.status_code, plain.headers["Location"]) == (303, f"{page}#latest")
    assert (htmx.status_code, htmx.headers["HX-Redirect"]) == (204, page)
    assert content(client, asked["message_id"])["status"] == "completed"


def test_it_is_offered_where_it_works(host: Host, client: FlaskClient) -> None:
    whole = chat(client)
    assert button(load(client, whole), "continue") is None

    host.provider.enqueue(BROKEN)
    empty = begin(client)
    host.wait_end(empty["message_id"])
    assert button(load(client, empty), "continue") is None

    host.provider.enqueue("As long as", Finished("length"))
    cut = begin(client)
    host.wait_end(cut["message_id"])
    page = load(client, cut)
    assert button(page, "continue") is not None
    assert "The model stopped at its own limit." in page.messages()[-1].foot

    asked = broken(host, client)
    page = load(client, asked)
    assert button(page, "continue") is not None
    assert "The answer was interrupted when the server stopped." in page.messages()[-1].foot
    chat(client, conversation_id=asked["conversation_id"])
    assert "Continue" not in {*load(client, asked).messages()[1].foot.split()}
