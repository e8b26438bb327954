"""A proxy as small as gevent and Python allow: a socket to the model, one to the browser.

No framework, no SDK, nothing stored, no error handled: what everything else may be compared with.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from gevent.pywsgi import WSGIServer


class Delta(msgspec.Struct):
    """What a chunk adds."""

    content: str | None = None


class Choice(msgspec.Struct):
    """One of a chunk's answers."""

    delta: Delta


class Chunk(msgspec.Struct):
    """One event of a chat completion."""

    choices: list[Choice]


_decode = msgspec.json.Decoder(Chunk).decode
_encode = msgspec.json.Encoder().encode


def main() -> None:
    """Serve until the process is ended."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    arguments, _ = parser.parse_known_args()

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterator[bytes]:
        if environ["PATH_INFO"] != "/chat":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return iter((b"ok",))

        question = json.loads(environ["wsgi.input"].read())["message"]
        start_response("200 OK", [("Content-Type", "text/event-stream")])

        return frames(arguments.upstream, question)

    WSGIServer(("127.0.0.1", arguments.port), app, log=None, backlog=4096).serve_forever()


def frames(port: int, question: str) -> Iterator[bytes]:
    """The answer as events."""

    body = _encode({"model": "bench", "stream": True, "messages": [{"content": question}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head.encode() + body)

        for event in events(connection):
            if event == b"data: [DONE]":
                return

            chunk = _decode(event[6:])

            if chunk.choices and chunk.choices[0].delta.content:
                yield b"data: " + _encode({"delta": chunk.choices[0].delta.content}) + b"\n\n"


def events(connection: socket.socket) -> Iterator[bytes]:
    """The events of a response in HTTP's chunked framing."""

    text = b""

    for data in pieces(connection):
        *whole, text = (text + data).split(b"\n\n")
        yield from whole


def pieces(connection: socket.socket) -> Iterator[bytes]:
    """The response's body as it comes (RFC 9112, section 7.1)."""

    buffer = b""

    while b"\r\n\r\n" not in buffer:
        buffer += connection.recv(65_536)

    buffer = buffer.partition(b"\r\n\r\n")[2]

    while True:
        end = buffer.find(b"\r\n")
        size = int(buffer[:end], 16) if end > 0 else -1

        if size == 0:
            return

        if size > 0 and len(buffer) >= end + size + 4:
            yield buffer[end + 2 : end + 2 + size]
            buffer = buffer[end + size + 4 :]
            continue

        data = connection.recv(65_536)

        if not data:
            raise ConnectionError("The model's stream broke off.")

        buffer += data


if __name__ == "__main__":
    main()
