"""A thousand answers and their viewers in one process."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.rounds import measure
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS


def run(bench: Bench, load: Load) -> Values:
    """Growth of the process from warm to peak, and what its viewers met meanwhile."""

    result = measure(bench, SYSTEMS["process"], load)

    return {
        "stream": result.kb_stream,
        "p50": result.p50_ms,
        "p99": result.p99_ms,
        "first": result.first_ms - 1000 / load.rate,
        "cpu": result.cpu_us,
    }


ROW = Row(
    "memory",
    "1,000 live answers and 1,000 viewers in one process",
    run,
    (
        Figure("stream", "memory per live answer and viewer", "kB", most=65),
        Figure("p50", "1,000 answers at 5 chunks a second: p50", "ms"),
        Figure("p99", "1,000 answers at 5 chunks a second: p99", "ms"),
        Figure(
            "first", "1,000 answers begun in 4 s: p50 to the first text, the model's left out", "ms"
        ),
        Figure("cpu", "1,000 answers at 5 chunks a second: CPU per chunk", "µs"),
    ),
    Load(rounds=2, streams=1000, tokens=60, rate=5),
    Load(rounds=1, streams=4, tokens=5, rate=50),
)
