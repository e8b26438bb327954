"""Opening a conversation of a hundred messages on a site with few and with many."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict

from benchmarks.bench import Bench
from benchmarks.client import API, fetch, get
from benchmarks.rounds import quantiles
from benchmarks.row import Figure, Load, Lost, Row, Values
from benchmarks.stock import MESSAGES, conversation_id
from benchmarks.systems import SYSTEMS

#: The small site.
FEW = 100
Times = dict[str, list[float]]


def run(bench: Bench, load: Load) -> Values:
    """Both sites at once, asked in turn; the ratios are those of the medians."""

    values: Values = {}

    for name in ("sqlite", "postgres") if bench.has_postgres else ("sqlite",):
        many, few = _times(bench, name, load)

        for kind in ("page", "json"):
            values[f"{kind}_{name}"] = many[kind]
            values[f"{kind}_ratio_{name}"] = many[kind] / few[kind]

        values[f"first_{name}"] = many["first"]

    return values


def _times(bench: Bench, name: str, load: Load) -> tuple[Values, Values]:
    is_postgres = name == "postgres"
    system = SYSTEMS["postgres" if is_postgres else "process"]
    sizes = (load.conversations, min(FEW, load.conversations))
    bench.say(f"  {name}: {sizes[0]:,} conversations, and {sizes[1]:,}")
    large, small = (bench.stock(size, postgres=is_postgres) for size in sizes)

    with (
        bench.running(system, place=large) as (one,),
        bench.running(system, place=small) as (other,),
    ):
        return asyncio.run(_open((one.port, other.port), sizes, load.times))


async def _open(
    ports: tuple[int, int], sizes: tuple[int, int], times: int
) -> tuple[Values, Values]:
    """Median milliseconds of each kind of request, on one site and on the other."""

    chance = random.Random(7)
    found: tuple[Times, Times] = (defaultdict(list), defaultdict(list))

    for port in ports:
        await fetch(port, get("/chat/?new=1"))

    for _ in range(times):
        for port, size, kinds in zip(ports, sizes, found, strict=True):
            await _visit(port, conversation_id(chance.randrange(size)), kinds)

    one, other = ({kind: quantiles(t)[0] for kind, t in kinds.items()} for kinds in found)

    return one, other


async def _visit(port: int, id: str, kinds: Times) -> None:
    json = f"{API}/conversations/{id}/messages?limit={MESSAGES}"
    kinds["first"].append(await _time(port, f"/chat/c/{id}", b"cs-root"))
    kinds["page"].append(await _time(port, f"/chat/c/{id}", b"cs-root"))
    kinds["json"].append(await _time(port, json, b'"messages"'))


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
    Load(rounds=1, conversations=10_000, times=100),
    Load(rounds=1, conversations=3, times=1),
)
