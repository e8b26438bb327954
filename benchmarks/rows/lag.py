"""How far a viewer is behind whose answer is written in another process."""

from __future__ import annotations

import asyncio
from functools import partial

from benchmarks.bench import Bench
from benchmarks.client import Record, check, drive, follow, stream_of
from benchmarks.databases import REDIS
from benchmarks.rounds import latencies, quantiles, warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running, System


def ways(bench: Bench) -> dict[str, System]:
    """The ways of learning of another process's text that this machine has."""

    process, postgres = SYSTEMS["process"], SYSTEMS["postgres"]
    redis = ("--wake", "redis", "--redis", REDIS)
    found = {"sqlite": process}

    if bench.has_redis:
        found["sqlite_redis"] = process.having(*redis)

    if bench.has_postgres:
        found["postgres"] = postgres
        found["postgres_listen"] = postgres.having("--wake", "postgres")

    if bench.has_postgres and bench.has_redis:
        found["postgres_redis"] = postgres.having(*redis)

    return found


def run(bench: Bench, load: Load) -> Values:
    """One way after the other."""

    values: Values = {}

    for name, system in ways(bench).items():
        bench.say(f"  {name}")

        with bench.running(system, system) as (writer, other):
            low, high = asyncio.run(_lag(bench, writer, other, system.path, load))

        values |= {name: low, f"{name}_p95": high}

    return values


async def _lag(
    bench: Bench, writer: Running, other: Running, path: str, load: Load
) -> tuple[float, float]:
    await warm(bench, writer, path)
    await warm(bench, other, path)
    seen: list[Record] = []
    act = partial(_watch, other.port, seen, load.tokens / load.rate * 6 + 30)
    await drive(writer.port, path, bench.records(load.streams, load.tokens), load.rate, act=act)
    check(seen)

    return quantiles(latencies(seen), 95)


async def _watch(port: int, seen: list[Record], patience: float, record: Record) -> None:
    seen.append(Record(record.sid, record.count))
    await follow(port, seen[-1], stream_of(record), patience)


def _figures(name: str, words: str, most: float) -> tuple[Figure, Figure]:
    way = f"model to viewer in another process, {words}"

    return (
        Figure(name, f"{way}, p50", "ms"),
        Figure(f"{name}_p95", f"{way}, p95", "ms", most=most),
    )


#: Goals in milliseconds: without hints, and with them.
POLLING, HINTED = 300, 30

ROW = Row(
    "lag",
    "a chunk's way to a viewer in another process than its writer's",
    run,
    (
        *_figures("sqlite", "SQLite, polling alone", POLLING),
        *_figures("sqlite_redis", "SQLite, Redis", HINTED),
        *_figures("postgres", "PostgreSQL, polling alone", POLLING),
        *_figures("postgres_redis", "PostgreSQL, Redis", HINTED),
        *_figures("postgres_listen", "PostgreSQL, LISTEN", HINTED),
    ),
    Load(rounds=2, streams=20, tokens=100),
    Load(rounds=1, streams=1, tokens=20, rate=50),
)
