"""One round of one system under a load of streams, and what it cost."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass

from .bench import Bench
from .client import Record, drive
from .row import Load
from .systems import Place, Running, System

#: Before what is measured: imports, pools and tables. A process has these once.
WARM_STREAMS, WARM_TOKENS, WARM_RATE = 4, 20, 50.0
#: Between two looks at a server, in seconds.
LOOK = 0.25


@dataclass(frozen=True)
class Result:
    """One round of one system; a chunk is one token of the upstream."""

    cpu_us: float
    #: The same between the last start and the first end.
    middle_us: float
    p50_ms: float
    p99_ms: float
    first_ms: float
    kb_stream: float
    bytes_chunk: float
    #: The same between the last start and the first end.
    middle_bytes: float


async def warm(bench: Bench, running: Running, path: str) -> None:
    """Have a server do everything once."""

    if not running.is_warm:
        running.is_warm = True
        await drive(running.port, path, bench.records(WARM_STREAMS, WARM_TOKENS), WARM_RATE)


def measure(bench: Bench, system: System, load: Load, *, place: Place | None = None) -> Result:
    """One round: start the system, warm it up, load it, stop it; raises `Lost`."""

    with bench.running(system, place=place) as (running,):
        return asyncio.run(_measure(bench, running, system, load))


async def _measure(bench: Bench, running: Running, system: System, load: Load) -> Result:
    await warm(bench, running, system.path)
    cpu, memory, written = running.cpu(), running.memory(), running.written()
    peak = Peak(running)
    records = bench.records(load.streams, load.tokens)
    middle = Middle(running, records)
    await drive(running.port, system.path, records, load.rate)
    used = running.cpu() - cpu
    chunks = load.streams * load.tokens
    bytes_chunk = (running.written() - written) / chunks
    low, high = quantiles(latencies(records))

    return Result(
        cpu_us=used / chunks * 1e6,
        middle_us=middle.cpu_us() or used / chunks * 1e6,
        p50_ms=low,
        p99_ms=high,
        first_ms=statistics.median((r.first or 0) - r.started for r in records) * 1000,
        kb_stream=(peak.stop() - memory) / load.streams / 1024,
        bytes_chunk=bytes_chunk,
        middle_bytes=middle.bytes_chunk() or bytes_chunk,
    )


class Peak:
    """The most memory that a server has had, looked at four times a second."""

    def __init__(self, running: Running):
        self._running = running
        self._seen = [running.memory()]
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._seen.append(self._running.memory())

    def stop(self) -> int:
        """Look no more; the most that was seen, in bytes."""

        self._task.cancel()

        return max(*self._seen, self._running.memory())


@dataclass(frozen=True)
class Look:
    """What there was at one moment: the time, processor time, bytes and chunks so far."""

    at: float
    cpu: float
    written: int
    seen: int


class Middle:
    """The time in which streams run: looked at as long as a ``share`` of them does."""

    def __init__(self, running: Running, records: list[Record], share: float = 1.0):
        self._running = running
        self._records = records
        self._least = share * len(records)
        self._looks: list[Look] = []
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            running = sum(r.first is not None and not r.is_whole for r in self._records)

            if running >= self._least:
                seen = sum(record.next for record in self._records)
                used = self._running.cpu(), self._running.written()
                self._looks.append(Look(time.monotonic(), *used, seen))

            await asyncio.sleep(LOOK)

    def _ends(self) -> tuple[Look, Look] | None:
        self._task.cancel()
        is_long = len(self._looks) > 1 and self._looks[-1].seen > self._looks[0].seen

        return (self._looks[0], self._looks[-1]) if is_long else None

    def cpu_us(self) -> float | None:
        """Processor time per chunk in microseconds; None when the time was too short."""

        ends = self._ends()

        return ends and (ends[1].cpu - ends[0].cpu) / (ends[1].seen - ends[0].seen) * 1e6

    def bytes_chunk(self) -> float | None:
        """Bytes sent towards the disk per chunk; None when the time was too short."""

        ends = self._ends()

        return ends and (ends[1].written - ends[0].written) / (ends[1].seen - ends[0].seen)

    def per_second(self) -> float | None:
        """Chunks per second; None when the time was too short."""

        ends = self._ends()

        return ends and (ends[1].seen - ends[0].seen) / (ends[1].at - ends[0].at)


def latencies(records: list[Record]) -> list[float]:
    """All latencies of some viewers, in milliseconds."""

    return [latency / 1000 for record in records for latency in record.latencies]


def quantiles(values: list[float], high: int = 99) -> tuple[float, float]:
    """The median and a high percentile."""

    if len(values) < 2:
        return (*values, *values) if values else (0.0, 0.0)  # type: ignore[return-value]

    cuts = statistics.quantiles(values, n=100, method="inclusive")

    return cuts[49], cuts[high - 1]
