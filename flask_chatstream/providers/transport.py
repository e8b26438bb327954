"""An HTTP/1.1 transport below an SDK's httpx client: one socket per answer, read directly.

The layers that httpcore puts on every chunk are left out (they cost more than storing it), and
the socket can be broken at any moment from connect to the last byte. Proxies are not supported.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from time import monotonic
from types import ModuleType
from typing import Any

from flask_chatstream.alarm import find_alarm

from .base import Cancellation, Timeouts
from .dialling import drop, open_socket
from .exchange import Exchange, current_exchange, shut_down
from .http1 import Body, Head, HeadReader, ProtocolError, make_body

_READ_SIZE = 16 * 1024
#: Nobody reads more of an error page (F30).
_MAX_ERROR_BODY = 1_000_000
_UNSAFE = re.compile(rb"[\r\n\0]")


def make_transport(httpx: ModuleType, context: ssl.SSLContext | None = None) -> Any:
    """A transport for a ``Client`` of the given module, ``httpx`` or its successor ``httpx2``.

    ``context`` replaces `ssl.create_default_context`.
    """

    # httpx checks these base classes, and which of the two modules it is, is the SDK's choice.
    transport = type("Transport", (_Transport, httpx.BaseTransport), {})
    stream = type("Stream", (_Stream, httpx.SyncByteStream), {})

    return transport(httpx, stream, context)


class _Transport:
    def __init__(self, httpx: Any, stream: Any, context: ssl.SSLContext | None) -> None:
        self._httpx = httpx
        self._stream = stream
        self._context = context

    def handle_request(self, request: Any) -> Any:
        """The response, its body still to be read; raises httpx's errors and `BrokenOff`."""

        exchange = current_exchange.get() or Exchange(Cancellation(), Timeouts())
        exchange.check()
        message = _message(request, self._httpx)
        sock = self._connect(request.url, exchange)
        reader = _Reader(sock, exchange, self._httpx)

        try:
            reader.send(message)
            head, rest = reader.read_head()
            body = make_body(head)
        except ProtocolError as error:
            reader.close()
            raise self._httpx.RemoteProtocolError(str(error)) from error
        except BaseException:
            reader.close()
            raise

        # What comes is not decompressed: identity was asked for, and a bomb has no fuse then.
        headers = [(k, v) for k, v in head.headers if k.lower() != b"content-encoding"]
        stream = self._stream(reader, body, rest, head.status)

        return self._httpx.Response(head.status, headers=headers, stream=stream)

    def _connect(self, url: Any, exchange: Exchange) -> socket.socket:
        host = url.raw_host.decode("ascii")
        is_tls = url.scheme == "https"
        deadline = monotonic() + min(exchange.timeouts.connect, exchange.limit())

        try:
            sock = open_socket(host, url.port or (443 if is_tls else 80), deadline, exchange)
            return self._secure(sock, host, deadline, exchange) if is_tls else sock
        except TimeoutError as error:
            exchange.check()
            raise self._httpx.ConnectTimeout("connecting took too long") from error
        except (OSError, UnicodeError) as error:
            exchange.check()
            raise self._httpx.ConnectError(f"{type(error).__name__}: {error}") from error

    def _secure(
        self, raw: socket.socket, host: str, deadline: float, exchange: Exchange
    ) -> socket.socket:
        sock: socket.socket = raw

        try:
            if self._context is None:
                self._context = make_context()

            # The handshake comes later, so that the socket can be broken in the midst of it.
            tls = self._context.wrap_socket(
                raw, server_hostname=host, do_handshake_on_connect=False
            )
            sock = tls
            exchange.hold(tls)
            tls.settimeout(max(0.001, deadline - monotonic()))
            tls.do_handshake()
        except BaseException:
            drop(sock, exchange)
            raise

        return tls


class _Reader:
    """A connected socket with its exchange; raises httpx's errors."""

    def __init__(self, sock: socket.socket, exchange: Exchange, httpx: Any) -> None:
        self.httpx = httpx
        self._sock = sock
        self._exchange = exchange
        self._alarm = find_alarm(partial(shut_down, sock))

    def send(self, message: bytes) -> None:
        self._sock.settimeout(self._exchange.limit())

        try:
            self._sock.sendall(message)
        except TimeoutError as error:
            self._exchange.check()
            raise self.httpx.WriteTimeout("sending took too long") from error
        except OSError:
            # A server that refuses may answer and close before it has read everything.
            self._exchange.check()

        if self._alarm is not None:
            self._sock.settimeout(None)

    def read_head(self) -> tuple[Head, bytes]:
        reader = HeadReader()

        while True:
            data = self.receive()
            if not data:
                raise ProtocolError("the peer closed without a response")

            head = reader.feed(data)
            if head is not None:
                return head, reader.rest

    def receive(self) -> bytes:
        exchange = self._exchange

        try:
            self._limit(exchange.limit())
            data = self._sock.recv(_READ_SIZE)
        except OSError as error:
            exchange.check()
            self._check_silence(error)
            raise self.httpx.ReadError(f"{type(error).__name__}: {error}") from error

        # A socket that was shut down ends like one that the peer closed.
        if exchange.cancelled:
            exchange.check()

        if not data:
            self._check_silence()

        return data

    def _check_silence(self, error: OSError | None = None) -> None:
        """Raise `ReadTimeout` when the read ended because its time was over."""

        if isinstance(error, TimeoutError) or (self._alarm is not None and self._alarm.has_rung):
            self._exchange.check()
            raise self.httpx.ReadTimeout("the server is silent") from error

    def _limit(self, seconds: float) -> None:
        if self._alarm is None:
            self._sock.settimeout(seconds)
        else:
            self._alarm.put_off(seconds)

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.close()

        drop(self._sock, self._exchange)


class _Stream:
    def __init__(self, reader: _Reader, body: Body, rest: bytes, status: int) -> None:
        self._reader = reader
        self._body = body
        self._rest = rest
        self._left = None if status < 300 else _MAX_ERROR_BODY

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._read()
        except ProtocolError as error:
            # The status of a refusal says enough, even when its page is cut or endless.
            if self._left is not None:
                return

            raise self._reader.httpx.RemoteProtocolError(str(error)) from error

    def _read(self) -> Iterator[bytes]:
        body, data = self._body, self._rest

        while True:
            piece = body.feed(data) if data else b""
            if piece:
                self._count(piece)
                yield piece

            if body.complete:
                return

            data = self._reader.receive()
            if not data:
                body.end()
                return

    def _count(self, piece: bytes) -> None:
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ProtocolError("the error page is too long")

    def close(self) -> None:
        self._reader.close()


def make_context() -> ssl.SSLContext:
    """TLS as the platform has it; with certifi's certificates where the platform has none."""

    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        import certifi

        context.load_verify_locations(certifi.where())

    context.set_alpn_protocols(["http/1.1"])

    return context


def _message(request: Any, httpx: Any) -> bytes:
    headers = [(k, v) for k, v in request.headers.raw if k.lower() != b"connection"]
    parts = [request.method.encode("ascii"), request.url.raw_path]
    parts += [part for header in headers for part in header]

    if any(map(_UNSAFE.search, parts)):
        raise httpx.LocalProtocolError("a line end or NUL in the request's head")

    lines = [b"%b %b HTTP/1.1" % (parts[0], parts[1]), *(b"%b: %b" % header for header in headers)]

    return b"\r\n".join([*lines, b"Connection: close", b"", request.read()])
