"""Following a conversation: stream, poll and htmx's poller make the page that a reload shows."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from flask_wtf.csrf import CSRFProtect

from flask_chatstream.errors import ProviderError
from flask_chatstream.providers.scripted import Pause
from tests.dom import Dom
from tests.hosts import (
    API,
    HTML,
    HTMX,
    SSE,
    Host,
    ask_in,
    begin,
    chat,
    content,
    events_of,
    open_host,
)
from tests.waiting import later, wait_for

PIECES = [
    "# Title\n\nA paragraph with *half",
    " an emphasis*.\n\n- one\n- two\n",
    "\n```python\nprint('hi')\n",
    "```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nSee [here][ref] & <b>\n\n",
    "[ref]: https://example.com\n\nThe end 🎉",
]
TEXT = "".join(PIECES)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


class Script:
    """A running answer that goes on when it is told."""

    def __init__(
        self,
        host: Host,
        client: FlaskClient,
        pieces: list[str] = PIECES,
        failure: Exception | None = None,
    ):
        self.gates = [Pause() for _ in pieces]
        items = [item for pair in zip(pieces, self.gates, strict=True) for item in pair]
        host.provider.enqueue(*items, *([failure] if failure else []))
        self.host, self.client, self.pieces = host, client, pieces
        self.asked = begin(client, "Show *me* & <all>")
        self.conversation: str = self.asked["conversation_id"]
        self.message: str = self.asked["message_id"]
        self.events_url = f"/chat/c/{self.conversation}/events"
        self.step(0)

    def step(self, n: int) -> None:
        """Have the first n pieces and one written."""

        if n > 0:
            self.gates[n - 1].release()

        self.host.wait_text(self.client, self.message, "".join(self.pieces[: n + 1]))

    def end(self) -> None:
        """Let the answer end."""

        for gate in self.gates:
            gate.release()

        self.host.wait_end(self.message)

    def page(self) -> Dom:
        """The page as a reload shows it."""

        return load(self.client, self.conversation)


def load(client: FlaskClient, conversation: str) -> Dom:
    """A page."""

    return Dom(client.get(f"/chat/c/{conversation}", headers=HTML).get_data(as_text=True))


def cursor_of(dom: Dom) -> str:
    """The cursor of exactly this rendering."""

    stream = next(node for node in dom.root.walk() if node.tag == "chat-stream")

    return stream.attributes["data-cursor"] or ""


def by_stream(script: Script, dom: Dom, cursor: str, steps: Iterator[int]) -> None:
    """Follow by event stream to the end."""

    url = f"{script.events_url}?cursor={cursor}"
    response = script.client.get(url, headers=SSE, buffered=False)
    assert response.mimetype == "text/event-stream"
    kinds = []

    for event in events_of(response):
        kinds.append(event.event)

        if event.event == "message":
            dom.apply(event.data)

        _advance(script, steps)

    assert kinds[0] == "hb"
    assert kinds[-1] == "end"


def by_poll(script: Script, dom: Dom, cursor: str, steps: Iterator[int]) -> None:
    """Follow by short polls of our script."""

    while True:
        response = script.client.get(f"{script.events_url}?cursor={cursor}")
        assert response.status_code == (200 if response.data else 204)
        assert "X-Cursor" in response.headers
        cursor = response.headers["X-Cursor"]
        dom.apply(response.get_data(as_text=True))

        if "X-Next" not in response.headers:
            return

        _advance(script, steps)


def by_htmx(script: Script, dom: Dom, cursor: str, steps: Iterator[int]) -> None:
    """Follow by htmx's poller alone, which stands in the page."""

    id = f"cs-c{script.conversation}-poll"

    while (poller := dom.find(id)) is not None and "hx-get" in poller.attributes:
        response = script.client.get(poller.attributes["hx-get"] or "", headers=HTMX)
        assert response.status_code == 200
        dom.swap(response.get_data(as_text=True), id)
        _advance(script, steps)


def _advance(script: Script, steps: Iterator[int]) -> None:
    step = next(steps, None)

    if step is None:
        script.end()
    else:
        script.step(step)


Follow = Callable[[Script, Dom, str, Iterator[int]], None]
FOLLOWS = [by_stream, by_poll, by_htmx]


@pytest.mark.parametrize("follow", FOLLOWS)
@pytest.mark.parametrize("start", range(len(PIECES)))
def test_the_live_page_is_the_reloaded_one(
    host: Host, client: FlaskClient, follow: Follow, start: int
) -> None:
    script = Script(host, client)

    for step in range(1, start + 1):
        script.step(step)

    dom = script.page()
    follow(script, dom, cursor_of(dom), iter(range(start + 1, len(PIECES))))

    assert dom.messages() == script.page().messages()
    assert [(m.role, m.status) for m in dom.messages()] == [
        ("user", "completed"),
        ("assistant", "completed"),
    ]


@pytest.mark.parametrize("follow", [by_stream, by_poll])
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "x",
        "9" * 400,
        "999999999999999999",
        "{version}.{message}.999999999.0.0",
        "{version}.{message}.0.999999999.0",
        "{version}.{message}.0.0.999999999",
        "{version}.{message}.999999999.999999999.999999999",
        "99.{message}.1.0.5",
        "{version}.{other}.1.0.5",
        "{version}.{message}.1.0",
        "-1.{message}.0.0.0",
        "{version}.{message}.0.0.0\r\nX-Injected: 1",
    ],
)
def test_an_odd_cursor_gets_the_whole(
    host: Host, client: FlaskClient, follow: Follow, cursor: str
) -> None:
    script = Script(host, client)
    version = cursor_of(script.page()).split(".")[0]
    cursor = cursor.format(version=version, message=script.message, other="0" * 32)
    dom = script.page()

    for node in [n for n in dom.root.walk() if n.tag == "article"]:
        if "{" not in cursor and cursor.split(".")[0] != version:
            node.remove()

    for node in list(dom.root.walk()):
        if (node.attributes.get("data-into") or "") == f"cs-m{script.message}-body":
            node.remove()

    follow(script, dom, cursor.replace("\r\n", "%0d%0a"), iter(range(1, len(PIECES))))

    assert [m for m in dom.messages() if m.role == "assistant"] == [
        m for m in script.page().messages() if m.role == "assistant"
    ]


@pytest.mark.parametrize("follow", FOLLOWS)
@pytest.mark.parametrize("end", ["cancel", "error"])
def test_the_other_ends_look_live_as_reloaded(
    host: Host, client: FlaskClient, follow: Follow, end: str
) -> None:
    failure = ProviderError("overloaded") if end == "error" else None
    script = Script(host, client, PIECES[:2], failure)
    dom = script.page()

    def steps() -> Iterator[int]:
        yield 1

        if end == "cancel":
            client.post(f"{API}/messages/{script.message}/cancel")

    follow(script, dom, cursor_of(dom), steps())

    assert dom.messages() == script.page().messages()
    assert dom.messages()[-1].status == ("cancelled" if end == "cancel" else "error")


@pytest.mark.parametrize("wait", ["", "0", "-1", "nan", "inf", "-inf", "1e400", "x"])
def test_an_odd_wait_is_no_wait_or_the_longest(host: Host, client: FlaskClient, wait: str) -> None:
    asked = chat(client)
    cursor = cursor_of(load(client, asked["conversation_id"]))
    url = f"/chat/c/{asked['conversation_id']}/events?cursor={cursor}&wait={wait}"
    response = client.get(url)

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["X-Cursor"] == cursor
    assert "X-Next" not in response.headers


def test_a_poll_waits_for_text(host: Host, client: FlaskClient) -> None:
    script = Script(host, client)
    cursor = cursor_of(script.page())
    found: list[str] = []
    url = f"{script.events_url}?cursor={cursor}&wait=20"
    thread = threading.Thread(
        target=lambda: found.append(client.get(url).get_data(as_text=True)), daemon=True
    )
    thread.start()
    topic = host.state.runtime.follow.topic(script.conversation)
    wait_for(lambda: topic.viewers == 1)
    script.step(1)
    thread.join(10)

    assert len(found) == 1
    assert "<li>" in found[0]


def test_a_long_poll_without_a_seat_is_answered_at_once(tmp_path: Path) -> None:
    """It waited 20 s, in a thread that was the server's last."""

    with open_host(tmp_path, CHATSTREAM_MAX_STREAMS=1) as host:
        client = host.client()
        script = Script(host, client)
        cursor = cursor_of(script.page())
        stream = client.get(script.events_url, headers=SSE, buffered=False)
        next(events_of(stream))
        url = f"{script.events_url}?cursor={cursor}&wait=20"
        answered = later(lambda: client.get(url)).result(10)
        stream.close()

        assert (answered.status_code, answered.data) == (204, b"")
        assert answered.headers["X-Cursor"] == cursor
        assert int(answered.headers["X-Next"]) >= 500


def test_a_long_poll_has_a_seat_while_it_waits(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_MAX_STREAMS=1) as host:
        client, seats = host.client(), host.state.runtime.seats
        script = Script(host, client)
        url = f"{script.events_url}?cursor={cursor_of(script.page())}"
        waiting = later(lambda: client.get(f"{url}&wait=20"))
        wait_for(lambda: seats.taken == 1)
        refused = client.get(url, headers=SSE)
        script.step(1)

        assert "<li>" in waiting.result(10).get_data(as_text=True)
        assert refused.mimetype == "text/html"
        assert seats.taken == 0


def test_a_long_poll_leaves_its_seat_when_its_conversation_goes(
    host: Host, client: FlaskClient
) -> None:
    script = Script(host, client)
    url = f"{script.events_url}?cursor={cursor_of(script.page())}&wait=20"
    seats = host.state.runtime.seats
    waiting = later(lambda: client.get(url))
    wait_for(lambda: seats.taken == 1)
    client.post(f"/chat/c/{script.conversation}/delete")

    assert waiting.result(10).status_code == 404
    assert seats.taken == 0


def test_a_viewer_sees_the_next_question_too(host: Host, client: FlaskClient) -> None:
    script = Script(host, client)
    dom = script.page()
    response = client.get(
        f"{script.events_url}?cursor={cursor_of(dom)}", headers=SSE, buffered=False
    )
    events = events_of(response)
    next(events)
    script.end()

    for event in events:
        if event.event == "message":
            dom.apply(event.data)

    second = ask_in(client, script.conversation, "Again?")
    host.wait_end(second["message_id"])
    dom_cursor = event.id
    poll = client.get(f"{script.events_url}?cursor={dom_cursor}")
    dom.apply(poll.get_data(as_text=True))

    assert dom.messages() == script.page().messages()
    assert len(dom.messages()) == 4


def test_another_answer_takes_the_place_of_what_followed(host: Host, client: FlaskClient) -> None:
    first = chat(client, "One?")
    chat(client, "Two?", conversation_id=first["conversation_id"])
    dom = load(client, first["conversation_id"])
    again = client.post(f"{API}/messages/{first['message_id']}/regenerate").get_json()
    host.wait_end(again["message_id"])
    url = f"/chat/c/{first['conversation_id']}/events?cursor={cursor_of(dom)}"
    dom.apply(client.get(url).get_data(as_text=True))
    reloaded = load(client, first["conversation_id"])

    assert [m.id for m in dom.messages()] == [m.id for m in reloaded.messages()]
    assert len(dom.messages()) == 2


def test_a_deletion_ends_the_stream(host: Host, client: FlaskClient) -> None:
    script = Script(host, client)
    response = client.get(script.events_url, headers=SSE, buffered=False)
    events = events_of(response)
    next(events)
    client.post(f"/chat/c/{script.conversation}/delete")
    kinds = [event.event for event in events]

    assert kinds[-1] == "gone"
    assert client.get(script.events_url, headers=SSE).status_code == 404


def test_a_stream_carries_no_token(tmp_path: Path) -> None:
    def protect(app: Flask) -> None:
        CSRFProtect(app)

    with open_host(tmp_path, protect, WTF_CSRF_CHECK_DEFAULT=False) as host:
        client = host.client()
        script = Script(host, client)
        page = client.get(f"/chat/c/{script.conversation}").get_data(as_text=True)
        assert 'name="csrf_token"' in page
        response = client.get(script.events_url, headers=SSE, buffered=False)
        script.end()
        stream = response.get_data(as_text=True)
        poll = client.get(script.events_url).get_data(as_text=True)

    for text in (stream, poll):
        assert 'data-action="regenerate"' in text
        assert "csrf" not in text


def test_a_stream_speaks_the_hosts_urls(tmp_path: Path) -> None:
    """A prefix with a value that the host takes out of every URL."""

    def prepare(app: Flask) -> None:
        @app.url_value_preprocessor
        def take(endpoint: str | None, values: dict[str, str] | None) -> None:
            g.lang = (values or {}).pop("lang", "en")

        @app.url_defaults
        def give(endpoint: str, values: dict[str, str]) -> None:
            if app.url_map.is_endpoint_expecting(endpoint, "lang"):
                values.setdefault("lang", g.lang)

    with open_host(tmp_path, prepare) as host:
        host.app.register_blueprint(host.chat, name="other", url_prefix="/<lang>/help")
        client = host.client()
        asked = chat(client)
        url = f"/fr/help/c/{asked['conversation_id']}/events"
        stream = client.get(url, headers=SSE).get_data(as_text=True)
        poll = client.get(url).get_data(as_text=True)

        assert client.get("/fr/help/").status_code == 200

    assert f'action="/fr/help/m/{asked["message_id"]}/regenerate"' in stream
    assert f'action="/fr/help/m/{asked["message_id"]}/regenerate"' in poll


def test_nothing_of_a_finished_answer_stays_in_memory(host: Host, client: FlaskClient) -> None:
    script = Script(host, client)
    (running,) = host.state.runtime.running()
    live = weakref.ref(running.live)
    del running
    dom = script.page()
    by_poll(script, dom, cursor_of(dom), iter(()))
    script.page()

    def is_gone() -> bool:
        gc.collect()

        return live() is None

    wait_for(is_gone)


def test_a_viewer_who_leaves_is_counted_no_longer(host: Host, client: FlaskClient) -> None:
    script = Script(host, client)
    topic = host.state.runtime.follow.topic(script.conversation)
    response = client.get(script.events_url, headers=SSE, buffered=False)
    next(events_of(response))
    assert topic.viewers == 1
    response.close()

    assert topic.viewers == 0
    with client.head(script.events_url, headers=SSE) as head:
        assert head.status_code == 200

    assert topic.viewers == 0
    assert content(client, script.message)["is_streaming"] is True
