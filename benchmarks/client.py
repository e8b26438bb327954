"""The load: opens streams and looks for tokens in the bytes that come, whatever wraps them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .row import Lost
from .upstream import WRAP

API = "/chat/api/v1"
TOKEN = re.compile(rb"~(\d+)\.(\d+)\.(\d{9}) ")
NAMES = re.compile(rb'"(conversation_id|message_id)": ?"([0-9a-f]{32})"')
#: The ids stand in the first event, behind the headers.
OPENING = 4096


@dataclass
class Record:
    """What one viewer saw of one stream; latencies in microseconds, of tokens sent while it saw."""

    sid: int
    count: int
    latencies: list[int] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    first: float | None = None
    next: int = 0
    gaps: int = 0
    foreign: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    opening: bytes = b""
    tail: bytes = b""

    @property
    def is_whole(self) -> bool:
        """Whether nothing more is awaited."""

        return self.next >= self.count

    @property
    def lost(self) -> int:
        """How many tokens never came."""

        return self.gaps + max(0, self.count - self.next)

    def feed(self, data: bytes) -> None:
        """Take received bytes."""

        now = time.monotonic_ns() // 1000
        buffer = self.tail + data
        end = 0

        if len(self.opening) < OPENING and len(self.ids) < 2:
            self._name(data)

        for match in TOKEN.finditer(buffer):
            end = match.end()
            self._take(int(match[1]), int(match[2]), (now - int(match[3])) % WRAP, now)

        cut = buffer.rfind(b"~", max(end, len(buffer) - 40))
        self.tail = buffer[cut:] if cut >= 0 else b""

    def _name(self, data: bytes) -> None:
        self.opening += data
        found = NAMES.findall(self.opening)
        self.ids = {name.decode(): id.decode() for name, id in reversed(found)}

    def _take(self, sid: int, seq: int, latency: int, now: int) -> None:
        if sid != self.sid:
            self.foreign += 1
            return

        self.first = self.first or time.monotonic()
        self.gaps += max(0, seq - self.next)

        if seq >= self.next:
            self.next = seq + 1

            if latency < now - self.started * 1e6:
                self.latencies.append(latency)


class Exchange(asyncio.Protocol):
    """One request whose answer's bytes are fed to a record, until that is whole."""

    def __init__(self, record: Record, request: bytes):
        self.record = record
        self.request = request
        self.head = b""
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.head = self.head or data[:400]
        self.record.feed(data)

        if self.record.is_whole:
            self.over.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.over.set()


def get(path: str, accept: str = "*/*") -> bytes:
    """A GET as bytes for the wire."""

    head = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {accept}\r\n"

    return f"{head}connection: close\r\n\r\n".encode()


def post(path: str, body: bytes = b"") -> bytes:
    """A POST of JSON as bytes for the wire."""

    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"

    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


def question(path: str, record: Record, rate: float, pad: int = 0, *, hold: str = "") -> bytes:
    """The request that asks for a record's tokens; ``pad`` makes each so much longer."""

    directive = f"[[sid={record.sid} n={record.count} r={rate:g} pad={pad}{hold}]]"

    return post(path, f'{{"message": "Tell me. {directive}"}}'.encode())


def stream_of(record: Record) -> bytes:
    """The request of one more viewer of a record's answer."""

    return get(f"{API}/conversations/{record.ids['conversation_id']}/stream")


async def fetch(port: int, request: bytes) -> bytes:
    """The whole answer to a request, headers included; raises `Lost` when it is no 2xx."""

    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    try:
        writer.write(request)
        data = await reader.read()
    finally:
        writer.close()

    if not data.startswith(b"HTTP/1.1 2"):
        raise Lost(f"A request failed: {data[:200]!r}")

    return data


async def follow(port: int, record: Record, request: bytes, patience: float) -> None:
    """Send a request and feed the record until it is whole, for so many seconds at most.

    An event stream lives for a minute: where it ends early, the answer's own goes on.
    """

    deadline = time.monotonic() + patience

    while True:
        before = record.next
        await _once(port, record, request, deadline - time.monotonic())

        if record.is_whole or record.next == before or "conversation_id" not in record.ids:
            return

        request = stream_of(record)


async def _once(port: int, record: Record, request: bytes, patience: float) -> None:
    loop = asyncio.get_running_loop()
    exchange = Exchange(record, request)
    transport, _ = await loop.create_connection(lambda: exchange, "127.0.0.1", port)

    try:
        await asyncio.wait_for(exchange.over.wait(), max(0.1, patience))
    except TimeoutError:
        return
    finally:
        transport.close()

    if not exchange.head.startswith(b"HTTP/1.1 200"):
        raise Lost(f"A stream failed: {exchange.head[:200]!r}")


async def until(condition: Callable[[], object], patience: float = 60.0) -> None:
    """Wait until something holds; raises `Lost` when it does not come to that."""

    deadline = time.monotonic() + patience

    while not condition():
        if time.monotonic() > deadline:
            raise Lost("What was waited for did not happen.")

        await asyncio.sleep(0.002)


#: What else is done with a stream while it runs.
Act = Callable[[Record], Awaitable[object]]


async def drive(
    port: int,
    path: str,
    records: list[Record],
    rate: float,
    *,
    pad: int = 0,
    act: Act | None = None,
) -> list[Record]:
    """Open the streams over a second or more, follow them to their ends; raises `Lost`.

    ``act`` is done with each as soon as it has its ids.
    """

    ramp = max(1 / rate, min(4.0, len(records) / 100))
    patience = ramp + max(r.count for r in records) / rate * 6 + 30

    async def one(index: int, record: Record) -> None:
        await asyncio.sleep(ramp * index / len(records))
        record.started = time.monotonic()
        await follow(port, record, question(path, record, rate, pad), patience)

    async def beside(record: Record) -> None:
        await until(lambda: len(record.ids) == 2)
        await act(record)  # type: ignore[misc]

    acts = [beside(record) for record in records] if act else []
    await asyncio.gather(*(one(i, record) for i, record in enumerate(records)), *acts)
    check(records)

    return records


def check(records: list[Record]) -> None:
    """Raises `Lost` unless every record is whole and nothing but its own."""

    lost, foreign = sum(r.lost for r in records), sum(r.foreign for r in records)

    if lost or foreign:
        raise Lost(f"{lost} tokens were lost, {foreign} came to somebody else.")
