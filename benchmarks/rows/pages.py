"""What a viewer of the page costs, who gets HTML rather than text."""

from __future__ import annotations

import asyncio

from benchmarks.bench import Bench
from benchmarks.client import Record, check, follow, get, question, until
from benchmarks.rounds import latencies, quantiles, warm
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS, Running


def run(bench: Bench, load: Load) -> Values:
    """Answers that are each watched by one page."""

    with bench.running(SYSTEMS["process"]) as (running,):
        return asyncio.run(_watch(bench, running, load))


async def _watch(bench: Bench, running: Running, load: Load) -> Values:
    await warm(bench, running, SYSTEMS["process"].path)
    records = bench.records(load.streams, load.tokens)
    cpu = running.cpu()
    await asyncio.gather(*(_page(running.port, record, load) for record in records))
    used = running.cpu() - cpu
    check(records)
    low, high = quantiles(latencies(records))
    seconds = load.streams * load.tokens / load.rate

    return {"core": used / seconds * 100, "p50": low, "p99": high}


async def _page(port: int, record: Record, load: Load) -> None:
    """Ask, leave, and follow the page's stream from the beginning, as after a form."""

    asking = Record(record.sid, record.count)
    request = question(SYSTEMS["process"].path, asking, load.rate)
    patience = load.tokens / load.rate * 6 + 30
    task = asyncio.create_task(follow(port, asking, request, patience))
    await until(lambda: len(asking.ids) == 2)
    task.cancel()
    # HTML trims the blank behind the last token, by which tokens are found.
    record.count -= 1
    path = f"/chat/c/{asking.ids['conversation_id']}/events"
    await follow(port, record, get(path, "text/event-stream"), patience)


ROW = Row(
    "pages",
    "answers that are watched by the page's own stream of HTML",
    run,
    (
        Figure("core", "processor time per answer and page, part of a core", "%", most=5),
        Figure("p50", "model to page, rendered at most ten times a second, p50", "ms"),
        Figure("p99", "model to page, p99", "ms"),
    ),
    Load(rounds=2, streams=30, tokens=300),
    Load(rounds=1, streams=1, tokens=10, rate=50),
)
