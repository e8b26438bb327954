"""Whether a chunk costs more late in a long answer, or on a site that has stored much."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from benchmarks.bench import Bench
from benchmarks.client import Record, drive, until
from benchmarks.rounds import measure, warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running

#: Letters of a chunk, so that an answer of 10,000 chunks has a megabyte.
LETTERS = 100
PAD = LETTERS - len("~0.0000.000000000 ")
#: Where cost is taken, in parts of an answer: 1 kB, 10 kB, 100 kB and so on to the whole.
MARKS = (0.001, 0.01, 0.1, 0.2, 0.9, 0.99)


def run(bench: Bench, load: Load) -> Values:
    """Along long answers, then with little and much stored."""

    bench.say("  long answers")

    with bench.running(SYSTEMS["process"]) as (running,):
        values = asyncio.run(_along(bench, running, load))

    for name in ("sqlite", "postgres") if bench.has_postgres else ("sqlite",):
        bench.say(f"  {name}: little and much stored")
        values[f"stored_{name}"] = _stored(bench, name, load)

    return values


async def _along(bench: Bench, running: Running, load: Load) -> Values:
    """Processor time per chunk between the marks of answers that grow together."""

    path = SYSTEMS["process"].path
    await warm(bench, running, path)
    records = bench.records(load.streams, load.tokens)
    driving = asyncio.create_task(drive(running.port, path, records, load.rate, pad=PAD))
    spent, seen = [], []

    for mark in MARKS:
        far = mark * load.tokens
        await until(partial(_is_there, driving, records, far), 600)
        spent.append(running.cpu())
        seen.append(sum(record.next for record in records))

    await driving
    steps = list(pairwise(zip(spent, seen, strict=True)))
    costs = [(b - a) / max(1, n - m) * 1e6 for (a, m), (b, n) in steps]
    ten, hundred, early, middle, late = costs

    return {
        "along": late / max(early, 1e-9),
        "to_10k": ten,
        "to_100k": hundred,
        "to_900k": middle,
        "to_1m": late,
    }


def _is_there(driving: asyncio.Task[Any], records: list[Record], far: float) -> bool:
    return driving.done() or min(record.next for record in records) >= far


def _stored(bench: Bench, name: str, load: Load) -> float:
    """The cost with much stored, in parts of the cost with nothing stored."""

    system = SYSTEMS["postgres" if name == "postgres" else "process"]
    place = bench.stock(load.conversations, postgres=name == "postgres")
    short = replace(load, streams=load.streams * 10, tokens=load.times, rate=20)
    much = measure(bench, system, short, place=place)
    little = measure(bench, system, short)

    return much.cpu_us / max(little.cpu_us, 1e-9)


ROW = Row(
    "growth",
    "cost per chunk along an answer of 1 MB, and with 1,000,000 stored messages",
    run,
    (
        Figure("along", "CPU per chunk at 0.9-1 MB of an answer / at 0.1-0.2 MB", "x", most=1.15),
        Figure("to_10k", "CPU per chunk of 100 letters, from 1 to 10 kB of an answer", "µs"),
        Figure("to_100k", "CPU per chunk of 100 letters, from 10 to 100 kB", "µs"),
        Figure("to_900k", "CPU per chunk of 100 letters, from 0.2 to 0.9 MB", "µs"),
        Figure("to_1m", "CPU per chunk of 100 letters, from 0.9 to 0.99 MB", "µs"),
        Figure("stored_sqlite", "CPU per chunk, 1,000,000 messages / 0, SQLite", "x", most=1.15),
        Figure(
            "stored_postgres",
            "CPU per chunk, 1,000,000 messages / 0, PostgreSQL",
            "x",
            most=1.15,
        ),
    ),
    Load(rounds=1, streams=10, tokens=10_000, rate=400, times=100, conversations=10_000),
    Load(rounds=1, streams=1, tokens=100, rate=400, times=5, conversations=3),
)
