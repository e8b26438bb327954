"""A fake model server that costs little: every token carries its stream, number and time.

    python -m benchmarks.upstream --port 9100

The question says what to send: ``[[sid=7 n=200 r=20 pad=0]]`` is 200 tokens at 20 per second for
stream 7. A token is ``~<sid>.<seq>.<µs> `` and ``pad`` letters more, so that a client finds it in
whatever wraps it. After the last one a stream ends, or with ``hold`` says nothing more.
``GET /closed/7`` says when its reader had gone before the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time

DIRECTIVE = re.compile(rb"\[\[sid=(\d+) n=(\d+) r=([\d.]+)(?: pad=(\d+))?( hold)?\]\]")
CLOSED = re.compile(rb"GET /closed/(\d+) ")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
#: When the readers of streams went away before their ends, in nanoseconds of the machine's clock.
gone: dict[int, int] = {}
#: Clocks on the wire are microseconds, cut to nine digits.
WRAP = 1_000_000_000


def event(delta: dict[str, str], reason: str | None = None) -> bytes:
    """One event of a chat completion, as OpenAI sends it, in HTTP's chunked framing."""

    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    value = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench",
        "system_fingerprint": "fp_0123456789",
        "choices": [choice],
    }

    return chunk(b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n")


def chunk(data: bytes) -> bytes:
    """Bytes in chunked transfer coding (RFC 9112, section 7.1)."""

    return b"%x\r\n%b\r\n" % (len(data), data)


MARK = "@TOKEN@"
BEFORE, AFTER = (
    part.encode()
    for part in json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "bench",
            "system_fingerprint": "fp_0123456789",
            "choices": [
                {"index": 0, "delta": {"content": MARK}, "logprobs": None, "finish_reason": None}
            ],
        },
        separators=(",", ":"),
    ).split(MARK)
)


class Server(asyncio.Protocol):
    """One connection: reads a request, then writes a token whenever one is due."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        self.handle: asyncio.TimerHandle | None = None
        self.is_answering = False

    def connection_lost(self, error: Exception | None) -> None:
        if self.handle is not None:
            self.handle.cancel()

        if self.is_answering:
            gone[self.sid] = time.monotonic_ns()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")

        if not found:
            return

        length = LENGTH.search(head)

        if length is not None and len(body) < int(length[1]):
            return

        self.buffer = b""
        asked = CLOSED.match(head)

        if asked is not None:
            self.tell(b"%d" % gone.get(int(asked[1]), 0))
        else:
            self.answer(body)

    def tell(self, text: bytes) -> None:
        """Answer with a text, and close."""

        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(text) + text)
        self.transport.close()

    def answer(self, body: bytes) -> None:
        """Begin the stream that the last directive of the request asks for."""

        found = DIRECTIVE.findall(body)

        if not found:
            self.tell(b"ok")
            return

        sid, count, rate, pad, hold = found[-1]
        self.sid, self.count, self.gap = int(sid), int(count), 1 / float(rate)
        self.is_answering, self.is_held = True, bool(hold)
        self.seq = 0
        self.pad = b"x" * (int(pad or 0) - 1) + b" " if int(pad or 0) else b""
        self.transport.write(HEAD + event({"role": "assistant", "content": ""}))
        loop = asyncio.get_running_loop()
        self.due = loop.time() + self.gap
        self.handle = loop.call_at(self.due, self.tick)

    def tick(self) -> None:
        """Write one token, and be called again when the next is due."""

        now = time.monotonic_ns() // 1000 % WRAP
        token = b"~%d.%d.%09d " % (self.sid, self.seq, now) + self.pad
        self.transport.write(chunk(b"data: " + BEFORE + token + AFTER + b"\n\n"))
        self.seq += 1

        if self.seq == self.count:
            if self.is_held:
                return

            done = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
            self.transport.write(event({}, "stop") + done)
            self.is_answering = False
            return

        self.due += self.gap
        self.handle = asyncio.get_running_loop().call_at(self.due, self.tick)


async def main(port: int) -> None:
    """Serve until the process is ended."""

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args().port))
