"""Measure systems in turn and print their figures and the ratios between them.

    python -m benchmarks                                   the engine's rows, small
    python -m benchmarks --streams 200 --rounds 5 process power off proxy
    python -m benchmarks --streams 1000 --rate 5 process   a thousand answers in one process

Systems run alternately (A B A B ...), so that all meet the same noise; ratios are taken round by
round against the first system and their median is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from dataclasses import asdict, dataclass

from .client import Record, drive
from .systems import SYSTEMS, Running, System, launch, start

WARM_UP = 900_000


@dataclass(frozen=True)
class Result:
    """One round of one system; a chunk is one token of the upstream."""

    system: str
    chunks: int
    lost: int
    foreign: int
    cpu_us: float
    p50_ms: float
    p99_ms: float
    first_ms: float
    kb_stream: float
    bytes_chunk: float


def measure(system: System, upstream: int, streams: int, tokens: int, rate: float) -> Result:
    """One round: start the system, warm it up, load it, stop it."""

    running = start(system, upstream)

    try:
        return asyncio.run(_measure(running, system, streams, tokens, rate))
    finally:
        running.stop()


async def _measure(
    running: Running, system: System, streams: int, tokens: int, rate: float
) -> Result:
    await drive(running.port, system.path, 4, 20, 50.0, WARM_UP)
    cpu, memory, written = running.cpu(), running.memory(), running.written()
    peak = asyncio.create_task(_peak(running))
    records = await drive(running.port, system.path, streams, tokens, rate)
    peak.cancel()
    chunks = sum(len(record.latencies) for record in records)

    return _result(
        system.name,
        records,
        cpu_us=(running.cpu() - cpu) / max(1, chunks) * 1e6,
        kb_stream=(max(_seen) - memory) / streams / 1024 if _seen else 0.0,
        bytes_chunk=(running.written() - written) / max(1, chunks),
    )


_seen: list[int] = []


async def _peak(running: Running) -> None:
    _seen.clear()

    while True:
        _seen.append(running.memory())
        await asyncio.sleep(0.25)


def _result(name: str, records: list[Record], **figures: float) -> Result:
    latencies = sorted(v / 1000 for record in records for v in record.latencies)
    firsts = [(r.first - r.started) * 1000 for r in records if r.first is not None]
    quantiles = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99

    return Result(
        system=name,
        chunks=len(latencies),
        lost=sum(record.count - len(record.latencies) for record in records),
        foreign=sum(record.foreign for record in records),
        p50_ms=quantiles[49],
        p99_ms=quantiles[98],
        first_ms=statistics.median(firsts) if firsts else 0.0,
        **figures,
    )


FIGURES = ("cpu_us", "p50_ms", "p99_ms", "first_ms", "kb_stream", "bytes_chunk")


def show(results: list[Result]) -> None:
    """The medians of each system, and the ratios to the first one, round by round."""

    names = list(dict.fromkeys(result.system for result in results))
    rounds = {name: [r for r in results if r.system == name] for name in names}
    print(f"{'system':<10} {'lost':>5} " + " ".join(f"{f:>12}" for f in FIGURES))

    for name in names:
        cells = [statistics.median(getattr(r, f) for r in rounds[name]) for f in FIGURES]
        lost = sum(r.lost + r.foreign for r in rounds[name])
        print(f"{name:<10} {lost:>5} " + " ".join(f"{cell:>12.1f}" for cell in cells))

    for name in names[1:]:
        pairs = list(zip(rounds[names[0]], rounds[name], strict=True))
        ratios = sorted(a.cpu_us / b.cpu_us for a, b in pairs)
        middle = statistics.median(ratios)
        print(
            f"CPU per chunk {names[0]} / {name}: {middle:.2f}x ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )


def main() -> None:
    """The command."""

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "systems",
        nargs="*",
        default=[*SYSTEMS],
        metavar="SYSTEM",
        help=", ".join(f"{s.name}: {s.about}" for s in SYSTEMS.values()),
    )
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20.0, help="tokens per second and stream")
    parser.add_argument("--tokens", type=int, default=200, help="tokens per answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    upstream, port = launch("benchmarks.upstream")
    results = []

    try:
        for number in range(arguments.rounds):
            for name in arguments.systems:
                print(f"round {number + 1}: {name} ...", file=sys.stderr, flush=True)
                size = (arguments.streams, arguments.tokens, arguments.rate)
                results.append(measure(SYSTEMS[name], port, *size))
    finally:
        upstream.kill()

    if arguments.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    else:
        show(results)


if __name__ == "__main__":
    main()
