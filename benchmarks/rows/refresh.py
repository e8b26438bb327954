"""From a refresh to the whole text, while answers are being written."""

from __future__ import annotations

import asyncio
import random
import re
import time

from benchmarks.bench import Bench
from benchmarks.client import Record, check, drive, fetch, follow, get, stream_of, until
from benchmarks.rounds import quantiles, warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running

#: Between two refreshes, in seconds.
PAUSE = 0.02
#: One in so many is a page's, which take longer.
PAGES = 4
#: Tokens that an answer has before anybody refreshes.
BEGUN = 3
CURSOR = re.compile(rb'data-cursor="([^"]*)"')


def run(bench: Bench, load: Load) -> Values:
    """The same on SQLite and on PostgreSQL."""

    values = _values(bench, "process", "sqlite", load)

    return values | (_values(bench, "postgres", "postgres", load) if bench.has_postgres else {})


def _values(bench: Bench, system: str, name: str, load: Load) -> Values:
    bench.say(f"  {name}")

    with bench.running(SYSTEMS[system]) as (running,):
        streams, pages = asyncio.run(_refresh(bench, running, SYSTEMS[system].path, load))

    stream, page = quantiles(streams), quantiles(pages)

    return {
        f"stream_{name}": stream[1],
        f"page_{name}": page[1],
        f"stream_p50_{name}": stream[0],
        f"page_p50_{name}": page[0],
    }


async def _refresh(
    bench: Bench, running: Running, path: str, load: Load
) -> tuple[list[float], list[float]]:
    await warm(bench, running, path)
    records = bench.records(load.streams, load.tokens)
    driving = asyncio.create_task(drive(running.port, path, records, load.rate))
    await until(lambda: all(record.next >= BEGUN for record in records))
    chance = random.Random(7)
    streams, pages = [], []

    for number in range(load.times):
        streams.append(await _to_stream(running.port, chance.choice(records)))

        if number % PAGES == 0:
            pages.append(await _to_page(running.port, chance.choice(records)))

        if driving.done():
            break

        await asyncio.sleep(PAUSE)

    await driving

    return streams, pages


async def _to_stream(port: int, record: Record) -> float:
    """Milliseconds until somebody who comes back to the API's stream has what others have seen."""

    again = Record(record.sid, record.next)
    began = time.monotonic()
    await follow(port, again, stream_of(record), 30)
    check([again])

    return (time.monotonic() - began) * 1000


async def _to_page(port: int, record: Record) -> float:
    """The same by the page, and the page's own stream for what is not rendered yet."""

    # HTML trims the blank behind the last token, by which tokens are found.
    again = Record(record.sid, record.next - 1)
    path = f"/chat/c/{record.ids['conversation_id']}"
    began = time.monotonic()
    page = await fetch(port, get(path))
    again.feed(page)

    if not again.is_whole:
        (cursor,) = CURSOR.findall(page)
        events = get(f"{path}/events?cursor={cursor.decode()}", "text/event-stream")
        await follow(port, again, events, 30)

    check([again])

    return (time.monotonic() - began) * 1000


_STREAM, _PAGE = (
    "refresh to the whole text by the API's stream",
    "refresh to the whole text of the page",
)
ROW = Row(
    "refresh",
    "from a refresh to everything that was seen before, while 50 answers are written",
    run,
    (
        Figure("stream_sqlite", f"{_STREAM}, p99, SQLite", "ms", most=15),
        Figure("stream_postgres", f"{_STREAM}, p99, PostgreSQL", "ms", most=15),
        Figure("page_sqlite", f"{_PAGE}, p99, SQLite", "ms"),
        Figure("page_postgres", f"{_PAGE}, p99, PostgreSQL", "ms"),
        Figure("stream_p50_sqlite", f"{_STREAM}, p50, SQLite", "ms"),
        Figure("stream_p50_postgres", f"{_STREAM}, p50, PostgreSQL", "ms"),
        Figure("page_p50_sqlite", f"{_PAGE}, p50, SQLite", "ms"),
        Figure("page_p50_postgres", f"{_PAGE}, p50, PostgreSQL", "ms"),
    ),
    Load(rounds=2, streams=50, tokens=400, times=200),
    Load(rounds=1, streams=2, tokens=30, rate=50, times=2),
)
