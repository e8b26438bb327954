"""Streams of gevent's server with our handler; `test_pywsgi` runs this in a patched process."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trustme
from flask import request
from gevent import pywsgi

from flask_chatstream.following import Live
from flask_chatstream.providers.scripted import Pause
from flask_chatstream.pywsgi import READ_AHEAD, WSGIHandler
from flask_chatstream.sse import Decoder
from flask_chatstream.views import sending
from flask_chatstream.views.api import follower
from tests.hosts import API, Host, begin, content, event_json, open_host
from tests.waiting import wait_for

TEXT = "a🎉é\u2028b\r\n𝄞c\n\nd"
#: Smaller than any answer of the tests that fill it.
BUFFER = 4096


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        host.chat.owner_loader(lambda: "ada")

        yield host


@pytest.fixture(autouse=True)
def connections() -> Iterator[None]:
    """Closes what the viewers of a test have opened."""

    with closing(ExitStack()) as stack:
        Viewer.stack = stack

        yield


@contextmanager
def served(app: Callable[..., Any], handler: type = WSGIHandler, **options: Any) -> Iterator[int]:
    """The port of gevent's server, whose connections hold back little."""

    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    server = pywsgi.WSGIServer(listener, app, log=None, handler_class=handler, **options)
    server.start()

    try:
        yield server.server_port
    finally:
        server.stop(timeout=1)


class Viewer:
    """A connection, and what has come on it."""

    stack: ClassVar[ExitStack]

    def __init__(self, port: int, path: str, version: str = "HTTP/1.1", method: str = "GET"):
        self.socket = self.stack.enter_context(socket.socket())
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.received = b""
        self.ask(path, version, method)

    def ask(self, path: str, version: str = "HTTP/1.1", method: str = "GET") -> None:
        """Send a request on this connection."""

        self.socket.sendall(f"{method} {path} {version}\r\nHost: localhost\r\n\r\n".encode())

    def read_until(self, words: bytes) -> bytes:
        """Read until some words have come."""

        while words not in self.received:
            data = self.socket.recv(65_536)
            assert data, self.received[-500:]
            self.received += data

        return self.received

    def read_all(self) -> bytes:
        """Read until the end of the connection or of a response in chunked framing."""

        while not self.received.endswith(b"\r\n0\r\n\r\n") and (data := self.socket.recv(65_536)):
            self.received += data

        return self.received

    @property
    def text(self) -> str:
        """The answer's text, which has neither a hole nor a repetition."""

        _, _, body = self.received.partition(b"\r\n\r\n")
        text = ""

        for event in Decoder().feed(dechunked(body)):
            value = event_json(event)

            if value["type"] == "delta":
                assert value["offset"] == len(text)
                text += value["delta"]

        return text


def dechunked(body: bytes) -> bytes:
    """A body without its framing, each chunk of which must be whole."""

    data = b""

    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        data += rest[:length]
        assert rest[length : length + 2] == b"\r\n"
        body = rest[length + 2 :]

    return data


def start(host: Host, *items: Any) -> tuple[Live, str]:
    """An answer that stands at its first pause; its live, and the path of its stream."""

    host.provider.enqueue(*items)
    asked = begin(host.client())
    path = f"{API}/conversations/{asked['conversation_id']}/stream"
    live = host.state.runtime.follow.join(
        asked["generation_id"], asked["message_id"], asked["conversation_id"], 0
    )

    return live, path


def asleep(live: Live) -> int:
    """How many viewers of an answer are sent its text."""

    return sum(tail.is_asleep for tail in live._tails)


def wait_asleep(live: Live, count: int) -> None:
    wait_for(lambda: asleep(live) == count)


def test_the_bytes_are_those_of_wsgi(host: Host) -> None:
    pauses = [Pause() for _ in TEXT]
    script = [item for pause, letter in zip(pauses, TEXT, strict=True) for item in (pause, letter)]
    live, path = start(host, *script, Pause())

    with served(host.app) as ours, served(host.app, pywsgi.WSGIHandler) as gevents:
        viewers = [Viewer(ours, path), Viewer(gevents, path)]
        wait_asleep(live, 1)

        for position, pause in enumerate(pauses, 1):
            pause.release()

            for viewer in viewers:
                viewer.read_until(b"id: %d:%d\n" % (live.generation_id, position))

            wait_asleep(live, 1)

        host.client().post(f"{API}/messages/{live.message_id}/cancel")
        direct, wsgi = (re.sub(rb"Date: [^\r]+", b"", v.read_all()) for v in viewers)

    assert direct == wsgi
    assert [viewer.text for viewer in viewers] == [TEXT] * 2


def test_text_wakes_no_viewer(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = [Pause() for _ in range(20)]
    live, path = start(host, *(i for n, p in enumerate(pauses) for i in (p, f"<{n}>")), Pause())
    woken: list[int] = []

    with served(host.app) as port:
        viewers = [Viewer(port, path) for _ in range(10)]
        wait_asleep(live, 10)
        read = live.frame
        monkeypatch.setattr(Live, "frame", lambda *values: woken.append(1) or read(*values[1:]))

        for n, pause in enumerate(pauses):
            pause.release()

            for viewer in viewers:
                viewer.read_until(b"<%d>" % n)

        assert (asleep(live), woken) == (10, [])
        assert {tail.position for tail in live._tails} == {live.length}

    assert len({viewer.text for viewer in viewers}) == 1


def test_one_who_does_not_read_holds_up_nobody_and_loses_nothing(host: Host) -> None:
    first, last = Pause(), Pause()
    pieces = [f"{n} 🎉 ".ljust(1000, "x") for n in range(150)]
    live, path = start(host, first, *pieces, last, "the end")

    with served(host.app) as port:
        slow, quick = Viewer(port, path), Viewer(port, path)
        wait_asleep(live, 2)
        first.release()
        quick.read_until(b"149 ")
        last.release()
        assert quick.read_all() and quick.text == "".join(pieces) + "the end"
        slow.read_all()

    assert slow.text == quick.text


def test_one_who_takes_nothing_is_let_go(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.3)
    first, last = Pause(), Pause()
    live, path = start(host, first, *(["x" * 1000] * 150), "all", last, "the end")

    with served(host.app) as port:
        slow, quick = Viewer(port, path), Viewer(port, path)
        wait_asleep(live, 2)
        first.release()
        quick.read_until(b'all"')
        wait_for(lambda: host.state.runtime.seats.taken == 1)
        last.release()
        quick.read_all()

        with suppress(ConnectionError):
            slow.read_all()

    assert quick.text == "x" * 150_000 + "allthe end"
    assert b"the end" not in slow.received


def test_one_who_goes_touches_nobody_else(host: Host) -> None:
    pauses = [Pause() for _ in range(6)]
    live, path = start(host, *(i for n, p in enumerate(pauses) for i in (p, f"<{n}>")))

    with served(host.app) as port:
        viewers = [Viewer(port, path) for _ in range(5)]
        wait_asleep(live, 5)
        viewers.pop().socket.close()

        for n, pause in enumerate(pauses):
            pause.release()
            viewers[0].read_until(b"<%d>" % n)

        wait_for(lambda: host.state.runtime.seats.taken == 0)
        assert {viewer.read_all() and viewer.text for viewer in viewers} == {"<0><1><2><3><4><5>"}


def test_who_is_sent_away_gets_no_more_text(host: Host) -> None:
    first, second = Pause(), Pause()
    live, path = start(host, "before", first, "after", second)

    with served(host.app) as port:
        viewer = Viewer(port, path)
        viewer.read_until(b'"before"')
        wait_asleep(live, 1)
        # Committed in the same turn of the event loop, before the viewer can look.
        host.state.runtime.revocations.revoke("ada")
        first.release()
        assert viewer.read_all().endswith(b"\r\n0\r\n\r\n")

    wait_for(lambda: content(host.client(), live.message_id)["content"] == "beforeafter")
    assert viewer.text == "before"


def test_nothing_is_sent_between_a_change_and_the_viewers_look(host: Host) -> None:
    live, path = start(host, Pause())

    with served(host.app) as port:
        viewer = Viewer(port, path)
        wait_asleep(live, 1)
        (tail,) = live._tails
        live.topic.beat()
        live.publish(0, "words")
        assert (tail.position, asleep(live)) == (0, 0)
        viewer.read_until(b"words")

    assert viewer.text == "words"


def test_the_connection_serves_the_next_request(host: Host) -> None:
    pause = Pause()
    live, path = start(host, "one ", pause, "two")

    with served(host.app) as port:
        viewer = Viewer(port, path)
        wait_asleep(live, 1)
        pause.release()
        viewer.read_all()
        assert viewer.text == "one two"
        viewer.received = b""
        viewer.ask(f"{API}/messages/{live.message_id}/content")
        assert viewer.read_until(b"one two").startswith(b"HTTP/1.1 200 OK")


def test_a_request_longer_than_what_is_read_ahead(host: Host) -> None:
    words = "word " * READ_AHEAD
    body = json.dumps({"content": words.strip(), "generate": False}).encode()
    conversation = host.client().post(f"{API}/conversations", json={}).get_json()["id"]
    path = f"{API}/conversations/{conversation}/messages"

    with served(host.app) as port:
        viewer = Viewer(port, "/nowhere")
        viewer.read_until(b"404")
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Long: {'x' * 3 * READ_AHEAD}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        viewer.socket.sendall(head.encode() + body)
        viewer.read_until(b"201 CREATED")

    stored = host.client().get(path).get_json()["messages"]
    assert [message["content"] for message in stored] == [words.strip()]


def test_a_connection_without_framing_is_served_by_wsgi(host: Host) -> None:
    pause = Pause()
    live, path = start(host, "one ", pause, "two")

    with served(host.app) as port:
        head = Viewer(port, path, method="HEAD")
        old = Viewer(port, path, version="HTTP/1.0")
        old.read_until(b"one ")
        head.read_until(b"\r\n\r\n")
        assert asleep(live) == 0
        pause.release()
        _, _, body = old.read_all().partition(b"\r\n\r\n")
        events = [event_json(event) for event in Decoder().feed(body)]
        assert head.received.endswith(b"\r\n\r\n")

    assert "".join(event.get("delta", "") for event in events) == "one two"


def test_what_a_middleware_changes_is_sent_as_it_says(host: Host) -> None:
    def upper(environ: Any, start_response: Any) -> Iterator[bytes]:
        for data in host.app(environ, start_response):
            yield data.replace(b"two", b"TWO")

    pause = Pause()
    live, path = start(host, "one ", pause, "two")

    with served(upper) as port:
        viewer = Viewer(port, path)
        viewer.read_until(b"one ")
        assert asleep(live) == 0
        pause.release()
        viewer.read_all()

    assert viewer.text == "one TWO"


def test_over_tls_it_is_served_by_wsgi(host: Host, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    pause = Pause()
    live, path = start(host, "one ", pause, "two")

    with served(host.app, ssl_context=context) as port:
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)

        with closing(trusting.wrap_socket(raw, server_hostname="127.0.0.1")) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            received = b""

            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += connection.recv(65_536)
                assert asleep(live) == 0
                pause.release()

    assert b'two"' in received


@pytest.mark.parametrize("handler", [WSGIHandler, pywsgi.WSGIHandler])
def test_every_viewer_of_a_silent_answer_hears_that_it_lives(
    host: Host, monkeypatch: pytest.MonkeyPatch, handler: type
) -> None:
    """One viewer's heartbeat put off those of all others."""

    monkeypatch.setattr(follower, "HEARTBEAT_SECONDS", 0.2)
    live, path = start(host, Pause())

    with served(host.app, handler) as port:
        viewers = [Viewer(port, path) for _ in range(5)]

        for viewer in viewers:
            viewer.read_until(b": still here\n\r\n" + b"d\r\n: still here\n\r\n" * 4)

        assert live.length == 0


@pytest.mark.parametrize("handler", [WSGIHandler, pywsgi.WSGIHandler])
def test_a_site_hears_that_the_response_is_over(host: Host, handler: type) -> None:
    over: list[str] = []

    @host.app.after_request
    def note(response: Any) -> Any:
        where = request.path
        response.call_on_close(lambda: over.append(where))

        return response

    live, path = start(host, "one", Pause())

    with served(host.app, handler) as port:
        viewer = Viewer(port, path)
        viewer.read_until(b"one")
        over.clear()
        host.client().post(f"{API}/messages/{live.message_id}/cancel")
        viewer.read_all()
        wait_for(lambda: path in over)
