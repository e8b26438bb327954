"""What one more viewer of a chunk costs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import chain

from benchmarks.bench import Bench
from benchmarks.client import Record, check, drive, follow, stream_of
from benchmarks.rounds import Middle, warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running, System

#: The same server with gevent's own handler.
WSGI = SYSTEMS["process"].having("--handler", "gevent")


@dataclass(frozen=True)
class Cost:
    """Processor time per chunk in microseconds: of whole answers, and while everybody watches."""

    whole: float
    middle: float


def run(bench: Bench, load: Load) -> Values:
    """The same streams with ``times`` more viewers each and with a fifth of those.

    Through WSGI and without. Not against none: a process that has little to do pays more for all
    that it does, which would be taken off the viewers.
    """

    wsgi, ours = _more(bench, load, WSGI), _more(bench, load, SYSTEMS["process"])

    return {
        "more": wsgi.middle,
        "ours": ours.middle,
        "joined": wsgi.whole,
        "ours_joined": ours.whole,
    }


def _more(bench: Bench, load: Load, system: System) -> Cost:
    name = "gevent's handler" if system.options else "our handler"
    few = load.times // 5
    bench.say(f"  {name}, {few + 1} viewers each")
    some = _used(bench, load, system, few)
    bench.say(f"  {name}, {load.times + 1} viewers each")
    many = _used(bench, load, system, load.times)
    more = load.times - few

    return Cost((many.whole - some.whole) / more, (many.middle - some.middle) / more)


def _used(bench: Bench, load: Load, system: System, more: int) -> Cost:
    with bench.running(system) as (running,):
        return asyncio.run(_watch(bench, running, load, more))


async def _watch(bench: Bench, running: Running, load: Load, more: int) -> Cost:
    path = SYSTEMS["process"].path
    await warm(bench, running, path)
    records = bench.records(load.streams, load.tokens)
    others = {r.sid: [Record(r.sid, r.count) for _ in range(more)] for r in records}
    patience = load.tokens / load.rate * 6 + 30
    middle = Middle(running, [*records, *chain.from_iterable(others.values())])
    cpu = running.cpu()

    async def join(record: Record) -> None:
        request = stream_of(record)
        viewers = others[record.sid]
        await asyncio.gather(*(follow(running.port, v, request, patience) for v in viewers))
        check(viewers)

    await drive(running.port, path, records, load.rate, act=join)
    whole = (running.cpu() - cpu) / (load.streams * load.tokens) * 1e6
    each = middle.cpu_us()

    return Cost(whole, whole if each is None else each * (more + 1))


ROW = Row(
    "viewers",
    "one more viewer of a chunk: 101 viewers of each stream against 21",
    run,
    (
        Figure("more", "CPU of one more viewer, per chunk, through WSGI", "µs", most=30),
        Figure("ours", "... where our handler writes to the sockets", "µs", most=7),
        Figure("joined", "the same, its coming included, through WSGI", "µs"),
        Figure("ours_joined", "... where our handler writes to the sockets", "µs"),
    ),
    Load(rounds=2, streams=5, tokens=200, times=100),
    Load(rounds=1, streams=1, tokens=10, rate=50, times=2),
)
