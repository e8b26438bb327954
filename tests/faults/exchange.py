"""HTTP over a plain socket: every byte of an answer's body as it comes, and who sent it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import Any

#: The server says something every 10 s; a client that hears nothing for longer comes back.
SILENCE_SECONDS = 25.0
#: What a connection that breaks raises.
BROKEN = (OSError, HTTPException)


@dataclass
class Exchange:
    """One request and what came back, byte by byte."""

    owner: str
    method: str
    path: str
    started_at: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    failure: str = ""
    ended_at: float = 0.0

    @property
    def took(self) -> float:
        """From the request to the end of its answer, in seconds."""

        return self.ended_at - self.started_at

    @property
    def body(self) -> bytes:
        """All bytes of the body so far."""

        return b"".join(piece for _, piece in self.pieces)

    @property
    def pid(self) -> int:
        """The worker that answered."""

        return int(self.headers.get("x-pid", 0))

    def json(self) -> Any:
        """The body as JSON."""

        return json.loads(self.body)


class Client:
    """Sends requests of one owner to one port, and keeps all that came back."""

    def __init__(self, port: int, owner: str):
        self.port = port
        self.owner = owner
        self.exchanges: list[Exchange] = []
        self._connection: HTTPConnection | None = None

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = SILENCE_SECONDS,
    ) -> tuple[Exchange, Iterator[bytes]]:
        """An exchange whose head has come, and its body piece by piece; raises `BROKEN`."""

        exchange = Exchange(self.owner, method, path, time.monotonic())
        self.exchanges.append(exchange)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        self._connection = connection
        data = None if body is None else json.dumps(body).encode()
        sent = {"X-Owner": self.owner, "Content-Type": "application/json", **(headers or {})}

        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
        except BROKEN as error:
            exchange.failure = repr(error)
            connection.close()
            raise

        exchange.headers = {name.lower(): value for name, value in response.getheaders()}
        exchange.status = response.status

        return exchange, self._read(exchange, connection, response)

    def _read(
        self, exchange: Exchange, connection: HTTPConnection, response: Any
    ) -> Iterator[bytes]:
        try:
            while piece := response.read1(65536):
                exchange.pieces.append((time.monotonic(), piece))
                yield piece

            # A body that is shorter than its length ends without a word.
            if response.length:
                raise IncompleteRead(b"", response.length)
        except BROKEN as error:
            exchange.failure = repr(error)
            raise
        finally:
            exchange.ended_at = time.monotonic()
            connection.close()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = SILENCE_SECONDS,
    ) -> Exchange:
        """A whole exchange."""

        exchange, pieces = self.open(method, path, body, headers, timeout)

        for _ in pieces:
            pass

        return exchange

    def hang_up(self) -> None:
        """Break the connection under whoever reads from it; closing it would wait for them."""

        with suppress(OSError, AttributeError):
            assert self._connection is not None
            self._connection.sock.shutdown(socket.SHUT_RDWR)
