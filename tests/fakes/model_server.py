"""A model server for tests that speaks OpenAI's chat completions over real sockets::

    with ModelServer() as server:
        provider = OpenAIChat(base_url=server.base_url)
        …
        server.calls[0].closed_at

``python -m tests.fakes.model_server --port 9000`` runs it as a process of its own; ``GET /_calls``
gives the ledger there, ``POST /_enqueue`` takes the words of a directive for the next call.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field, fields
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from tests.fakes.behaviour import Behaviour, events, from_words, read_directive


@dataclass
class Call:
    """One call as the server saw it; times by `time.monotonic`, one clock for a whole machine."""

    model: str
    messages: list[dict[str, Any]]
    body: dict[str, Any]
    headers: dict[str, str]
    started_at: float
    tokens_sent: int = 0
    bytes_sent: int = 0
    #: When the client was seen to close early, and when the server was done by itself.
    closed_at: float | None = None
    ended_at: float | None = None
    behaviour: str = ""
    gone: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait_closed(self, timeout: float = 5.0) -> float:
        """When the client closed; raises `TimeoutError` when it did not."""

        if not self.gone.wait(timeout) or self.closed_at is None:
            raise TimeoutError("the client did not close the connection early")

        return self.closed_at


class ModelServer:
    """The server in threads of this process, from ``with`` to its end."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.default = Behaviour()
        self.calls: list[Call] = []
        self._changed = threading.Condition()
        self._queue: deque[Behaviour] = deque()
        self._refusals: dict[str, int] = {}
        self._tls = tls
        self._server = _Server(("127.0.0.1", port), _Handler, self, tls)

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""

        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def port(self) -> int:
        """The port that it listens on."""

        return int(self._server.server_address[1])

    def enqueue(self, *behaviours: Behaviour) -> None:
        """What the next calls get, in order; then the default again."""

        self._queue.extend(behaviours)

    def wait_for_calls(self, count: int, timeout: float = 5.0) -> list[Call]:
        """The calls, once there are so many; raises `TimeoutError`."""

        with self._changed:
            if not self._changed.wait_for(lambda: len(self.calls) >= count, timeout):
                raise TimeoutError(f"{len(self.calls)} calls instead of {count}")

            return list(self.calls)

    def __enter__(self) -> ModelServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve in this thread, for a process of its own."""

        self._server.serve_forever()

    def take(self, call: Call) -> Behaviour:
        """Put a call into the ledger and say how to answer it."""

        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
            behaviour = self._queue.popleft() if self._queue else self.default
            behaviour = read_directive(call.messages, behaviour)
            call.behaviour = repr(behaviour)

            return self._after_refusals(call, behaviour)

    def _after_refusals(self, call: Call, behaviour: Behaviour) -> Behaviour:
        prompt = json.dumps(call.messages)
        self._refusals[prompt] = self._refusals.get(prompt, 0) + 1

        if behaviour.times and self._refusals[prompt] > behaviour.times:
            return Behaviour(tokens=behaviour.tokens, rate=behaviour.rate)

        return behaviour


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[_Handler],
        owner: ModelServer,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(address, handler)
        self.owner = owner
        self.tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread, so that a slow handshake holds up nobody.
        if self.tls is None:
            super().finish_request(request, client_address)
            return

        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is what half of the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    call: Call

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if self.path == "/_calls":
            calls = [asdict(_row(call)) for call in self.server.owner.calls]
            self._answer_whole(200, json.dumps(calls, default=lambda _: None), "application/json")
        elif self.path.partition("?")[0].endswith("/models"):
            body = json.dumps({"object": "list", "data": [{"id": "fake", "object": "model"}]})
            self._answer_whole(200, body, "application/json")
        else:
            self._answer_whole(404, "<h1>Not found</h1>", "text/html")

    def do_POST(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))

        if self.path == "/_enqueue":
            self.server.owner.enqueue(from_words(raw.decode()))
            self._answer_whole(200, "{}", "application/json")
            return

        if not self.path.endswith("/chat/completions"):
            self._answer_whole(404, "<h1>Not found</h1>", "text/html")
            return

        body = json.loads(raw)
        headers = {key.lower(): value for key, value in self.headers.items()}
        now = time.monotonic()
        self.call = Call(body.get("model", ""), body.get("messages", []), body, headers, now)
        behaviour = self.server.owner.take(self.call)

        try:
            self._answer(behaviour)
            self.call.ended_at = time.monotonic()
        except _Left:
            self.call.ended_at = time.monotonic()
        except _Gone:
            self.call.closed_at = time.monotonic()
        finally:
            self.call.gone.set()
            self.close_connection = True

    def _answer(self, behaviour: Behaviour) -> None:
        if behaviour.stall == "headers":
            self._stall(behaviour)

        if behaviour.status != 200 or behaviour.body:
            self._refuse(behaviour)
            return

        parts = list(events(behaviour, self.call.model))
        if behaviour.framing == "length":
            self._head(behaviour, sum(len(data) for _, data in parts))
        else:
            self._head(behaviour, None)

        half = sum(kind == "token" for kind, _ in parts) // 2
        for kind, data in parts:
            self._stall_if(behaviour, kind, half)
            if kind == "token" and behaviour.rate:
                self._pause(1 / behaviour.rate)

            self._send(behaviour, data)
            self.call.tokens_sent += kind == "token"

        if behaviour.framing == "chunked":
            self._write(b"0\r\n\r\n")

    def _refuse(self, behaviour: Behaviour) -> None:
        failure = {"message": f"fake {behaviour.status}", "type": "fake_error", "code": None}
        body = behaviour.body or json.dumps({"error": failure})
        kind = behaviour.content_type or "application/json"
        extra = {"Retry-After": behaviour.retry_after, "Location": behaviour.location}
        self._answer_whole(behaviour.status, body, kind, extra)

    def _answer_whole(
        self, status: int, body: str, kind: str, extra: dict[str, str] | None = None
    ) -> None:
        data = body.encode("utf-8", "surrogatepass")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (extra or {}).items():
            if value:
                self.send_header(name, value)

        self.end_headers()
        self.wfile.write(data)

    def _head(self, behaviour: Behaviour, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", behaviour.content_type or "text/event-stream")
        if length is not None:
            self.send_header("Content-Length", str(length))
        elif behaviour.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")

        try:
            self.end_headers()
        except OSError as error:
            raise _Gone from error

    def _stall_if(self, behaviour: Behaviour, kind: str, half: int) -> None:
        is_first = behaviour.stall == "first" and kind == "token"
        is_mid = behaviour.stall == "mid" and self.call.tokens_sent == half

        if is_first or (is_mid and kind == "token"):
            self._stall(behaviour)

    def _send(self, behaviour: Behaviour, data: bytes) -> None:
        if 0 <= behaviour.cut < self.call.bytes_sent + len(data):
            self._frame(behaviour, data[: behaviour.cut - self.call.bytes_sent])
            self._leave(behaviour)

        size = behaviour.split or len(data)
        for start in range(0, len(data), size):
            self._frame(behaviour, data[start : start + size])

    def _frame(self, behaviour: Behaviour, data: bytes) -> None:
        if not data:
            return

        framed = b"%x\r\n%b\r\n" % (len(data), data) if behaviour.framing == "chunked" else data
        self._write(framed)
        self.call.bytes_sent += len(data)

    def _write(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise _Gone from error

    def _leave(self, behaviour: Behaviour) -> None:
        """Close in the midst of the body, or reset as a crash does."""

        if behaviour.cut_by == "reset":
            # What was sent is let through first.
            self._pause(0.01)
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())

        raise _Left

    def _stall(self, behaviour: Behaviour) -> None:
        until = behaviour.until

        while until is None or not until.is_set():
            self._pause(60 if until is None else 0.01)

    def _pause(self, seconds: float) -> None:
        """Sleep, but see at once when the client closes."""

        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable and self._is_closed():
            raise _Gone

    def _is_closed(self) -> bool:
        try:
            return not self.connection.recv(1)
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True


class _Left(Exception):
    """The server was told to leave."""


class _Gone(Exception):
    """The client closed before the answer was whole."""


@dataclass
class _LedgerRow:
    model: str
    messages: list[dict[str, Any]]
    started_at: float
    tokens_sent: int
    bytes_sent: int
    closed_at: float | None
    ended_at: float | None
    behaviour: str


def _row(call: Call) -> _LedgerRow:
    return _LedgerRow(**{f.name: getattr(call, f.name) for f in fields(_LedgerRow)})


def main() -> None:
    """Run as a process until it is killed; the first line says where."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--behaviour", default="", help="what every call gets: tokens=50 rate=20")
    arguments = parser.parse_args()
    server = ModelServer(arguments.port)
    server.default = from_words(arguments.behaviour)
    print(server.base_url, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
