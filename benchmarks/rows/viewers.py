"""What one more viewer of a chunk costs."""

from __future__ import annotations

import asyncio
from functools import partial

from benchmarks.bench import Bench
from benchmarks.client import Record, check, drive, follow, stream_of
from benchmarks.rounds import warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running


def run(bench: Bench, load: Load) -> Values:
    """The same streams with one viewer each, and with ``times`` more."""

    bench.say("  1 viewer each")
    alone = _used(bench, load, 0)
    bench.say(f"  {load.times + 1} viewers each")
    together = _used(bench, load, load.times)
    seen = load.streams * load.tokens * load.times

    return {"more": (together - alone) / seen * 1e6}


def _used(bench: Bench, load: Load, more: int) -> float:
    with bench.running(SYSTEMS["process"]) as (running,):
        return asyncio.run(_watch(bench, running, load, more))


async def _watch(bench: Bench, running: Running, load: Load, more: int) -> float:
    path = SYSTEMS["process"].path
    await warm(bench, running, path)
    cpu = running.cpu()
    act = partial(_join, running.port, more, load.tokens / load.rate * 6 + 30)
    await drive(running.port, path, bench.records(load.streams, load.tokens), load.rate, act=act)

    return running.cpu() - cpu


async def _join(port: int, more: int, patience: float, record: Record) -> None:
    """More viewers of a stream, to its end; raises `Lost`."""

    others = [Record(record.sid, record.count) for _ in range(more)]
    await asyncio.gather(*(follow(port, other, stream_of(record), patience) for other in others))
    check(others)


ROW = Row(
    "viewers",
    "one more viewer of a chunk, through WSGI: 11 viewers of each stream against 1",
    run,
    (Figure("more", "CPU of one more viewer, per chunk", "µs", most=30),),
    Load(rounds=2, streams=20, tokens=200, times=10),
    Load(rounds=1, streams=1, tokens=10, rate=50, times=2),
)
