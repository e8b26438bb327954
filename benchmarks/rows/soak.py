"""Whether memory stays where it is over many short chats, with their refreshes and stops."""

from __future__ import annotations

import asyncio
import statistics

from benchmarks.bench import Bench
from benchmarks.client import API, Record, check, fetch, follow, get, post, question, until
from benchmarks.rounds import warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running

#: Every fifth chat is looked at again while it is answered; another fifth is stopped.
FIFTH = 5
#: Chats of an hour, for which growth is extrapolated: ten a second.
HOUR = 36_000


def run(bench: Bench, load: Load) -> Values:
    """Memory at the quarters; the first half fills caches and does not count."""

    with bench.running(SYSTEMS["process"]) as (running,):
        sizes = asyncio.run(_soak(bench, running, load))

    quarter = load.times // 4
    slope = statistics.linear_regression([2, 3, 4], sizes[2:]).slope / quarter
    hour = slope * HOUR

    return {
        "growth": slope * 1000 / 1024,
        "hour": hour / sizes[2] * 100,
        **{f"at_{n}": size / 2**20 for n, size in enumerate(sizes)},
    }


async def _soak(bench: Bench, running: Running, load: Load) -> list[int]:
    await warm(bench, running, SYSTEMS["process"].path)
    sizes = [running.memory()]

    for quarter in range(4):
        bench.say(f"  quarter {quarter + 1} of {load.times:,} chats")
        await _chats(bench, running, load)
        sizes.append(running.memory())

    return sizes


async def _chats(bench: Bench, running: Running, load: Load) -> None:
    waiting = list(enumerate(bench.records(load.times // 4, load.tokens)))

    async def visit() -> None:
        while waiting:
            number, record = waiting.pop()
            await _chat(running.port, number, record, load.rate)

    await asyncio.gather(*(visit() for _ in range(load.streams)))


async def _chat(port: int, number: int, record: Record, rate: float) -> None:
    path = SYSTEMS["process"].path
    record.started = 0.0
    asking = asyncio.create_task(follow(port, record, question(path, record, rate), 120))

    try:
        await until(lambda: asking.done() or (record.next >= 2 and len(record.ids) == 2))

        if number % FIFTH == 0:
            await fetch(port, get(f"/chat/c/{record.ids['conversation_id']}"))
        elif number % FIFTH == 1:
            await fetch(port, post(f"{API}/messages/{record.ids['message_id']}/cancel"))
            record.count = 0
    finally:
        await asking

    check([record])


ROW = Row(
    "soak",
    "memory over many short chats, a fifth of them refreshed and a fifth stopped",
    run,
    (
        Figure("growth", "growth of memory per 1,000 chats, in the second half", "kB", most=100),
        Figure("hour", "the same in an hour of 10 chats a second, extrapolated", "%"),
        Figure("at_0", "memory at the beginning", "MB"),
        Figure("at_1", "memory after a quarter of the chats", "MB"),
        Figure("at_2", "memory after half of them", "MB"),
        Figure("at_3", "memory after three quarters", "MB"),
        Figure("at_4", "memory at the end", "MB"),
    ),
    Load(rounds=1, streams=40, tokens=20, rate=50, times=4_000),
    Load(rounds=1, streams=2, tokens=8, rate=50, times=20),
)
