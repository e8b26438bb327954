"""What the journal adds to the time of a chunk when every one is synced to the disk."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.rounds import measure
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS


def run(bench: Bench, load: Load) -> Values:
    """The same pipeline with and without the journal, in turn."""

    bench.say("  off")
    off = measure(bench, SYSTEMS["off"], load)
    bench.say("  power")
    power = measure(bench, SYSTEMS["power"], load)

    return {
        "added": power.p50_ms - off.p50_ms,
        "off": off.p50_ms,
        "power": power.p50_ms,
        "power_p99": power.p99_ms,
    }


ROW = Row(
    "latency",
    "what the journal adds to a chunk's time, every chunk synced to the disk, 20 streams",
    run,
    (
        Figure("added", "p50 added by the journal, `power`", "ms", most=0.5),
        Figure("off", "p50 without it", "ms"),
        Figure("power", "p50 with it", "ms"),
        Figure("power_p99", "p99 with it", "ms"),
    ),
    Load(rounds=3, streams=20, tokens=150),
    Load(rounds=1, streams=2, tokens=5, rate=50),
)
