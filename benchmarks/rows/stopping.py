"""From a stop to the moment in which the model's server sees its reader gone."""

from __future__ import annotations

import asyncio
import time

from benchmarks.bench import Bench
from benchmarks.client import API, Record, fetch, follow, get, post, question, until
from benchmarks.rounds import quantiles, warm
from benchmarks.row import Figure, Load, Lost, Row, Values
from benchmarks.systems import SYSTEMS, Running, System


def run(bench: Bench, load: Load) -> Values:
    """Stops in the process that writes the answer, and in another one."""

    bench.say("  SQLite")
    own, other = _stops(bench, SYSTEMS["process"], load)
    values = {"own": quantiles(own, 95)[1], "other": quantiles(other, 95)[1]}

    if bench.has_postgres:
        bench.say("  PostgreSQL")
        _, heard = _stops(bench, SYSTEMS["postgres"].having("--wake", "postgres"), load)
        values["heard"] = quantiles(heard, 95)[1]

    return values


def _stops(bench: Bench, system: System, load: Load) -> tuple[list[float], list[float]]:
    with bench.running(system, system) as (here, there):
        return asyncio.run(_measure(bench, here, there, system.path, load))


async def _measure(
    bench: Bench, here: Running, there: Running, path: str, load: Load
) -> tuple[list[float], list[float]]:
    await warm(bench, here, path)
    await warm(bench, there, path)
    own = [await _stop(bench, here.port, here.port, path, load) for _ in range(load.times)]
    other = [await _stop(bench, here.port, there.port, path, load) for _ in range(load.times)]

    return own, other


async def _stop(bench: Bench, port: int, by: int, path: str, load: Load) -> float:
    """Milliseconds from a stop's request to the end of the model's connection.

    The model says nothing at that moment: with the next text its writer would see the fence.
    """

    (record,) = bench.records(1, load.tokens)
    request = question(path, record, load.rate, hold=" hold")
    record.count += 1
    watching = asyncio.create_task(follow(port, record, request, 60))
    await until(lambda: record.next >= load.tokens and len(record.ids) == 2)
    began = time.monotonic_ns()
    await fetch(by, post(f"{API}/messages/{record.ids['message_id']}/cancel"))
    closed = await _closed(bench, record)
    watching.cancel()

    return (closed - began) / 1e6


async def _closed(bench: Bench, record: Record) -> int:
    deadline = time.monotonic() + 30

    while time.monotonic() < deadline:
        answer = await fetch(bench.upstream, get(f"/closed/{record.sid}"))

        if (when := int(answer.rpartition(b"\r\n")[2])) > 0:
            return when

        await asyncio.sleep(0.01)

    raise Lost("The model's connection was never closed.")


ROW = Row(
    "stop",
    "from the request of a stop to the closed connection of a silent provider; p95",
    run,
    (
        Figure("own", "stop to the provider's socket closed, same process", "ms", most=50),
        Figure("other", "... from another process, SQLite, no hints", "ms", most=1000),
        Figure("heard", "... from another process, PostgreSQL with LISTEN", "ms", most=1000),
    ),
    Load(rounds=2, tokens=5, rate=50, times=15),
    Load(rounds=1, tokens=2, rate=50, times=1),
)
