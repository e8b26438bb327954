"""How many chunks one process makes durable in a second."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.client import drive
from benchmarks.rounds import Middle, warm
from benchmarks.row import Figure, Load, Lost, Row, Values
from benchmarks.systems import POWER, ROOT, SYSTEMS, Place, Running, System


def run(bench: Bench, load: Load) -> Values:
    """The journal alone, then the whole service, on each database."""

    values = {}
    names = ["sqlite", "postgres"] if bench.has_postgres else ["sqlite"]

    for name in names:
        is_postgres = name == "postgres"
        bench.say(f"  {name}: journal")
        values[f"journal_{name}"] = journal(load, postgres=is_postgres)
        bench.say(f"  {name}: service")
        system = SYSTEMS["postgres" if is_postgres else "process"]
        values[f"service_{name}"] = service(bench, system, load)

    return values


def journal(load: Load, *, postgres: bool) -> float:
    """Rows per second of the engine's journal, each waited for; raises `Lost`."""

    place = Place(postgres=postgres)
    seconds = load.tokens / load.rate
    options = ["--folder", str(place.folder), *POWER]
    options += ["--streams", str(load.streams), "--seconds", f"{seconds:g}"]
    options += ["--database", place.database] if place.database else []
    command = [sys.executable, "-m", "benchmarks.servers.journal", *options]

    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    finally:
        place.close()

    found = json.loads(done.stdout)

    if not found["whole"]:
        raise Lost("The journal does not hold what was written.")

    return float(found["rows"] / found["seconds"])


def service(bench: Bench, system: System, load: Load) -> float:
    """Chunks per second from the model server to viewers, while nine in ten streams run."""

    # Half of the journal's: the questions of more take longer than their answers.
    fewer = replace(load, streams=max(1, load.streams // 2))

    with bench.running(system) as (running,):
        return asyncio.run(_service(bench, running, system.path, fewer))


async def _service(bench: Bench, running: Running, path: str, load: Load) -> float:
    await warm(bench, running, path)
    records = bench.records(load.streams, load.tokens)
    began = time.monotonic()
    middle = Middle(running, records, share=0.9)
    await drive(running.port, path, records, load.rate)
    seen = sum(record.next for record in records)

    return middle.per_second() or seen / (time.monotonic() - began)


ROW = Row(
    "throughput",
    "durable chunks per second in one process: the journal alone, and the whole service",
    run,
    (
        Figure("journal_sqlite", "journal alone, SQLite `power`, rows", "/s", least=10_000),
        Figure("journal_postgres", "journal alone, PostgreSQL, rows", "/s", least=10_000),
        Figure("service_sqlite", "model to viewer, SQLite `process`, chunks", "/s", least=10_000),
        Figure("service_postgres", "model to viewer, PostgreSQL, chunks", "/s", least=10_000),
    ),
    Load(rounds=2, streams=600, tokens=120, rate=20),
    Load(rounds=1, streams=4, tokens=5, rate=20),
)
