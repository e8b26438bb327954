"""The load: opens streams and looks for tokens in the bytes that come, whatever wraps them."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

from .upstream import WRAP

TOKEN = re.compile(rb"~(\d+)\.(\d+)\.(\d{9}) ")


@dataclass
class Record:
    """What one viewer saw of one stream; latencies in microseconds."""

    sid: int
    count: int
    latencies: list[int] = field(default_factory=list)
    started: float = 0.0
    first: float | None = None
    next: int = 0
    gaps: int = 0
    foreign: int = 0
    tail: bytes = b""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, data: bytes) -> None:
        """Take received bytes."""

        now = time.monotonic_ns() // 1000
        buffer = self.tail + data
        end = 0

        for match in TOKEN.finditer(buffer):
            end = match.end()
            self._take(int(match[1]), int(match[2]), (now - int(match[3])) % WRAP)

        cut = buffer.rfind(b"~", max(end, len(buffer) - 40))
        self.tail = buffer[cut:] if cut >= 0 else b""

        if self.next >= self.count:
            self.done.set()

    def _take(self, sid: int, seq: int, latency: int) -> None:
        if sid != self.sid:
            self.foreign += 1
            return

        self.first = self.first or time.monotonic()
        self.gaps += max(0, seq - self.next)

        if seq >= self.next:
            self.next = seq + 1
            self.latencies.append(latency)


class Exchange(asyncio.Protocol):
    """One request whose answer's bytes are fed to a record."""

    def __init__(self, record: Record, request: bytes):
        self.record = record
        self.request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.record.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.record.done.set()


def post(path: str, body: bytes) -> bytes:
    """A POST of JSON as bytes for the wire."""

    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"

    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def drive(
    port: int, path: str, streams: int, tokens: int, rate: float, base: int = 0
) -> list[Record]:
    """Open the streams over a second or more, follow them to their ends."""

    loop = asyncio.get_running_loop()
    ramp = max(1 / rate, min(4.0, streams / 100))
    records = [Record(base + i, tokens) for i in range(streams)]

    async def one(index: int, record: Record) -> None:
        await asyncio.sleep(ramp * index / streams)
        question = f'{{"message": "Tell me. [[sid={record.sid} n={tokens} r={rate:g}]]"}}'
        record.started = time.monotonic()
        transport, _ = await loop.create_connection(
            lambda: Exchange(record, post(path, question.encode())), "127.0.0.1", port
        )
        await asyncio.wait_for(record.done.wait(), ramp + tokens / rate * 6 + 20)
        transport.close()

    await asyncio.gather(*(one(i, record) for i, record in enumerate(records)))

    return records
