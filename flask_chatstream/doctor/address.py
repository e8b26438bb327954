"""Asking the site over its public address, as a browser would, with a permit."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask_chatstream.sse import Decoder

from .facts import Facts, decode_facts
from .permit import HEADER

#: Below the address of a chat.
PATH = "/api/v1/doctor"
#: How long a connection and a silence may last, in seconds.
PATIENCE = 10.0


class Broken(Exception):
    """A connection that was not made, or broke off; says why."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What came back: the head, a worker's facts, and when each piece was sent and came in."""

    status: int
    headers: dict[str, str]
    facts: Facts | None = None
    pieces: list[tuple[float, float]] = field(default_factory=list)


class Address:
    """The public address of a chat; ``permit`` makes a permit."""

    def __init__(self, url: str, permit: Callable[[], str]):
        self.url = url.rstrip("/")
        self._permit = permit
        # Each request on a connection of its own: a kept one leads to the same worker.
        self._httpx = _load_httpx()
        limits = self._httpx.Limits(max_keepalive_connections=0)
        self._client = self._httpx.Client(limits=limits, timeout=PATIENCE, follow_redirects=False)

    def ask(self, pieces: int) -> Sight:
        """What a worker says, on a connection of its own; raises `Broken`."""

        try:
            return self._ask(pieces)
        except (self._httpx.HTTPError, self._httpx.InvalidURL) as error:
            raise Broken(f"{type(error).__name__}: {error}") from error

    def _ask(self, pieces: int) -> Sight:
        headers = {
            HEADER: self._permit(),
            "Accept": "text/event-stream",
            "User-Agent": "flask-chatstream-doctor",
        }
        url = f"{self.url}{PATH}?pieces={pieces}"

        with self._client.stream("GET", url, headers=headers) as response:
            sight = Sight(response.status_code, {k.lower(): v for k, v in response.headers.items()})

            if not sight.headers.get("content-type", "").startswith("text/event-stream"):
                return sight

            return _read(sight, response.iter_bytes())

    def close(self) -> None:
        """Let the client go."""

        self._client.close()

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers come by TLS."""

        return urlsplit(self.url).scheme == "https"

    def find_protocol(self) -> str | None:
        """The newest HTTP that the address speaks to a browser; None when that cannot be told."""

        if not self.is_encrypted:
            return "HTTP/1.1"

        parts = urlsplit(self.url)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is sent, and `ask` verifies
        context.set_alpn_protocols(["h2", "http/1.1"])

        with (
            suppress(OSError),
            socket.create_connection((parts.hostname or "", parts.port or 443), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            return "HTTP/2" if secure.selected_alpn_protocol() == "h2" else "HTTP/1.1"

        return None


def _load_httpx() -> Any:
    """The client that the openai SDK brings: ``httpx2`` since its version 3."""

    try:
        import httpx2
    except ImportError:
        import httpx

        return httpx

    return httpx2


def _read(sight: Sight, body: Iterable[bytes]) -> Sight:
    decoder, facts = Decoder(), None

    for data in body:
        arrived = time.monotonic()

        for event in decoder.feed(data):
            if event.event == "facts":
                facts = decode_facts(event.data)
            elif event.event == "piece":
                sight.pieces.append((float(event.data), arrived))

    return Sight(sight.status, sight.headers, facts, sight.pieces)
