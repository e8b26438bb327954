"""Opening a conversation of a hundred messages on a site with few and with many."""

from __future__ import annotations

import asyncio
import random
import time

from benchmarks.bench import Bench
from benchmarks.client import API, fetch, get
from benchmarks.rounds import quantiles
from benchmarks.row import Figure, Load, Lost, Row, Values
from benchmarks.stock import MESSAGES, conversation_id
from benchmarks.systems import SYSTEMS

#: The small site.
FEW = 100


def run(bench: Bench, load: Load) -> Values:
    """The times on both sites; the ratios are those of the medians."""

    values = {}

    for name in ("sqlite", "postgres") if bench.has_postgres else ("sqlite",):
        many = _times(bench, name, load.conversations, load.times)
        few = _times(bench, name, min(FEW, load.conversations), load.times)

        for kind in ("page", "json"):
            values[f"{kind}_{name}"] = many[kind]
            values[f"{kind}_ratio_{name}"] = many[kind] / few[kind]

        values[f"first_{name}"] = many["first"]

    return values


def _times(bench: Bench, name: str, conversations: int, times: int) -> Values:
    is_postgres = name == "postgres"
    bench.say(f"  {name}, {conversations:,} conversations")
    place = bench.stock(conversations, postgres=is_postgres)
    system = SYSTEMS["postgres" if is_postgres else "process"]

    with bench.running(system, place=place) as (running,):
        return asyncio.run(_open(running.port, conversations, times))


async def _open(port: int, conversations: int, times: int) -> Values:
    await fetch(port, get("/chat/?new=1"))
    chance = random.Random(7)
    found: dict[str, list[float]] = {"first": [], "page": [], "json": []}

    for _ in range(times):
        id = conversation_id(chance.randrange(conversations))
        page = f"/chat/c/{id}"
        json = f"{API}/conversations/{id}/messages?limit={MESSAGES}"
        found["first"].append(await _time(port, page, b"cs-root"))
        found["page"].append(await _time(port, page, b"cs-root"))
        found["json"].append(await _time(port, json, b'"messages"'))

    return {kind: quantiles(times)[0] for kind, times in found.items()}


async def _time(port: int, path: str, mark: bytes) -> float:
    """Milliseconds of a request; raises `Lost` when the answer is not what was asked for."""

    began = time.monotonic()
    answer = await fetch(port, get(path))
    took = (time.monotonic() - began) * 1000

    if mark not in answer:
        raise Lost(f"{path} answered something else.")

    return took


def _figures(name: str, words: str) -> tuple[Figure, ...]:
    return (
        Figure(f"page_{name}", f"switch to a conversation, page, {words}", "ms", most=50),
        Figure(f"page_ratio_{name}", f"... / the same at {FEW} conversations", "x", most=1.2),
        Figure(f"json_{name}", f"its messages as JSON, {words}", "ms", most=50),
        Figure(f"json_ratio_{name}", f"... / the same at {FEW} conversations", "x", most=1.2),
        Figure(f"first_{name}", f"its page when nobody has rendered it yet, {words}", "ms"),
    )


ROW = Row(
    "switch",
    "opening a conversation of 100 messages among 10,000 with 1,000,000 messages; p50",
    run,
    (*_figures("sqlite", "SQLite"), *_figures("postgres", "PostgreSQL")),
    Load(rounds=2, conversations=10_000, times=100),
    Load(rounds=1, conversations=3, times=1),
)
