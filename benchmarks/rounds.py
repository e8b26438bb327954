"""One round of one system under a load of streams, and what it cost."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass

from .bench import Bench
from .client import Record, drive
from .row import Load
from .systems import Place, Running, System

#: Before what is measured: imports, pools and tables. A process has these once.
WARM_STREAMS, WARM_TOKENS, WARM_RATE = 4, 20, 50.0


@dataclass(frozen=True)
class Result:
    """One round of one system; a chunk is one token of the upstream."""

    chunks: int
    cpu_us: float
    p50_ms: float
    p99_ms: float
    first_ms: float
    kb_stream: float
    bytes_chunk: float
    #: Seconds of processor time in all.
    cpu: float


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
    await drive(running.port, system.path, records, load.rate)
    used = running.cpu() - cpu
    chunks = load.streams * load.tokens
    low, high = quantiles(latencies(records))

    return Result(
        chunks=chunks,
        cpu_us=used / chunks * 1e6,
        p50_ms=low,
        p99_ms=high,
        first_ms=statistics.median((r.first or 0) - r.started for r in records) * 1000,
        kb_stream=(peak.stop() - memory) / load.streams / 1024,
        bytes_chunk=(running.written() - written) / chunks,
        cpu=used,
    )


class Peak:
    """The most memory that a server has had, looked at four times a second."""

    def __init__(self, running: Running):
        self._running = running
        self._seen = [running.memory()]
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self._seen.append(self._running.memory())

    def stop(self) -> int:
        """Look no more; the most that was seen, in bytes."""

        self._task.cancel()

        return max(*self._seen, self._running.memory())


def latencies(records: list[Record]) -> list[float]:
    """All latencies of some viewers, in milliseconds."""

    return [latency / 1000 for record in records for latency in record.latencies]


def quantiles(values: list[float], high: int = 99) -> tuple[float, float]:
    """The median and a high percentile."""

    if len(values) < 2:
        return (*values, *values) if values else (0.0, 0.0)  # type: ignore[return-value]

    cuts = statistics.quantiles(values, n=100, method="inclusive")

    return cuts[49], cuts[high - 1]
