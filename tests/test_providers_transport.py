"""Our transport below an httpx client, over real sockets and TLS."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from flask_chatstream.providers import Cancellation, Timeouts
from flask_chatstream.providers.exchange import BrokenOff, Exchange, current_exchange
from flask_chatstream.providers.transport import make_transport
from tests.fakes.model_server import ModelServer
from tests.fakes.sockets import answering, refusing, silent, unreachable


@pytest.fixture(params=["httpx", "httpx2"])
def httpx(request: pytest.FixtureRequest) -> Any:
    """Both generations of httpx; the SDK's version decides which one is used."""

    return pytest.importorskip(request.param)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[ModelServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)

    with ModelServer(tls=context) as server:
        yield server


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    exchange = Exchange(Cancellation(), Timeouts(connect=0.3, first_token=3))
    token = current_exchange.set(exchange)
    yield exchange
    current_exchange.reset(token)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)

    return context


def get(httpx: Any, url: str, context: ssl.SSLContext | None = None) -> Any:
    with httpx.Client(transport=make_transport(httpx, context)) as client:
        return client.get(url)


def test_a_request_and_its_answer(httpx: Any) -> None:
    with ModelServer() as server:
        models = get(httpx, f"{server.base_url}/models?x=%20y")
        missing = get(httpx, f"http://localhost:{server.port}/nothing")

    assert models.json()["data"][0]["id"] == "fake"
    assert (missing.status_code, missing.text) == (404, "<h1>Not found</h1>")


def test_tls_with_a_certificate_of_a_known_authority(
    httpx: Any, tls_server: ModelServer, authority: trustme.CA
) -> None:
    for host in ("127.0.0.1", "localhost"):
        url = f"https://{host}:{tls_server.port}/v1/models"
        assert get(httpx, url, trusting(authority)).status_code == 200


def test_tls_with_an_unknown_authority_or_another_name_is_refused(
    httpx: Any, tls_server: ModelServer, authority: trustme.CA
) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        get(httpx, f"{tls_server.base_url}/models")

    url = f"https://localhost.localdomain:{tls_server.port}/v1/models"
    with pytest.raises(httpx.ConnectError):
        get(httpx, url, trusting(authority))

    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(other)
    with ModelServer(tls=other) as server, pytest.raises(httpx.ConnectError, match="mismatch"):
        get(httpx, f"https://localhost:{server.port}/v1/models", trusting(authority))


def test_a_plain_server_is_no_tls_server(httpx: Any) -> None:
    with ModelServer() as server, pytest.raises(httpx.ConnectError):
        get(httpx, f"https://127.0.0.1:{server.port}/v1/models")


def test_nobody_there(httpx: Any) -> None:
    with pytest.raises(httpx.ConnectError, match="refused"):
        get(httpx, f"http://127.0.0.1:{refusing()}/")

    for host in ("no-such-host.invalid", "x" * 70 + ".invalid"):
        with pytest.raises(httpx.ConnectError):
            get(httpx, f"http://{host}/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connecting_has_its_limit(httpx: Any, exchange: Exchange, scheme: str) -> None:
    with unreachable() as port, pytest.raises(httpx.ConnectTimeout):
        get(httpx, f"{scheme}://127.0.0.1:{port}/")


def test_the_handshake_counts_as_connecting(httpx: Any, exchange: Exchange) -> None:
    with silent() as port, pytest.raises(httpx.ConnectTimeout):
        get(httpx, f"https://127.0.0.1:{port}/")


def test_waiting_for_the_head_has_its_limit(httpx: Any, exchange: Exchange) -> None:
    started = time.monotonic()
    with silent() as port, pytest.raises(BrokenOff):
        get(httpx, f"http://127.0.0.1:{port}/")

    assert exchange.expired
    assert 2.5 < time.monotonic() - started < 10


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_whole_response(httpx: Any, answer: bytes) -> None:
    with answering(answer) as port, pytest.raises(httpx.RemoteProtocolError):
        get(httpx, f"http://127.0.0.1:{port}/")


def test_a_refusal_with_a_broken_or_endless_page_keeps_its_status(httpx: Any) -> None:
    head = b"HTTP/1.1 401 No\r\nContent-Length: 50000000\r\n\r\n"

    for page in (b"short", b"x" * 50_000_000):
        with answering(head + page) as port:
            response = get(httpx, f"http://127.0.0.1:{port}/")

        assert response.status_code == 401
        assert len(response.content) <= 1_000_000


def test_nothing_is_decompressed(httpx: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb"

    with answering(answer) as port:
        assert get(httpx, f"http://127.0.0.1:{port}/").content == b"bomb"


def test_a_header_cannot_begin_another(httpx: Any) -> None:
    with (
        ModelServer() as server,
        httpx.Client(transport=make_transport(httpx)) as client,
        pytest.raises(httpx.LocalProtocolError),
    ):
        client.get(f"{server.base_url}/models", headers={"X": "a\r\nY: b"})


def test_a_redirect_is_only_reported(httpx: Any) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.invalid/\r\n\r\n"

    with answering(answer) as port:
        assert get(httpx, f"http://127.0.0.1:{port}/").status_code == 302


def test_an_address_is_not_looked_up(httpx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[object] = []

    with ModelServer() as server:
        monkeypatch.setattr("socket.getaddrinfo", lambda *args: looked_up.append(args))

        assert get(httpx, f"http://127.0.0.1:{server.port}/v1/models").status_code == 200

    assert looked_up == []


def test_the_second_address_of_a_name_is_tried(httpx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with two addresses, the first of which refuses."""

    with ModelServer() as server:
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (refusing(), server.port)
        ]
        monkeypatch.setattr("socket.getaddrinfo", lambda *args: addresses)

        assert get(httpx, "http://two.example/v1/models").status_code == 200
