"""Bytes that go towards the disk for a chunk."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.rounds import measure
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS


def run(bench: Bench, load: Load) -> Values:
    """Without a window between commits, and with one."""

    bench.say("  no window")
    none = measure(bench, SYSTEMS["power"], load)
    bench.say("  10 ms between commits")
    window = measure(bench, SYSTEMS["power"].having("--window", "10"), load)

    return {
        "none": none.middle_bytes,
        "window": window.middle_bytes,
        "none_all": none.bytes_chunk,
        "window_all": window.bytes_chunk,
    }


ROW = Row(
    "written",
    "bytes written towards the disk per chunk, SQLite `power`, 4,000 chunks a second",
    run,
    (
        Figure("none", "bytes written per chunk in mid-answer, no window", "B", most=1_800),
        Figure("window", "... `COMMIT_WINDOW_MS=10`", "B", most=400),
        Figure("none_all", "starts and ends included, no window", "B"),
        Figure("window_all", "... `COMMIT_WINDOW_MS=10`", "B"),
    ),
    Load(rounds=2, streams=200, tokens=150),
    Load(rounds=1, streams=2, tokens=5, rate=50),
)
