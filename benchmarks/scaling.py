"""What a million viewers need, calculated from what was measured.

    python -m benchmarks throughput pages memory --keep figures.json
    python -m benchmarks.scaling --figures figures.json

Nothing here is measured: it is arithmetic, and `Site` holds what it assumes.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import report


@dataclass(frozen=True)
class Site:
    """What is assumed of the site and of its machines."""

    #: People who have the chat open, and the part of them whose answer is being written.
    viewers: int = 1_000_000
    answered: float = 0.1
    #: Chunks of an answer per second, and the seconds that one lasts.
    rate: float = 20.0
    lasts: float = 20.0
    #: ``CHATSTREAM_COMMIT_WINDOW_MS``.
    window: float = 50.0
    #: The part of a core, and of a database, that may be in use.
    busy: float = 0.6
    cores: int = 32
    #: Connections of one process, and hints that it sends in a second.
    connections: int = 8
    hints: float = 200.0


@dataclass(frozen=True)
class Measured:
    """What the rows have given: ``pages``, ``memory`` and ``throughput``."""

    #: Part of a core for an answer that is written and watched on a page.
    core: float
    #: Memory of a live answer and its viewer, in kB.
    kilobytes: float
    #: Rows per second that one process makes durable in PostgreSQL.
    rows: float


@dataclass(frozen=True)
class Step:
    """One line of the calculation."""

    symbol: str
    words: str
    formula: str
    value: float


#: The part of the viewers who wait for text: one in ten, and everybody.
SITES = (Site(), Site(answered=1.0))


def calculate(site: Site, measured: Measured) -> list[Step]:
    """The steps, each from those before it."""

    answers = site.viewers * site.answered
    chunks = answers * site.rate
    rows = answers * min(site.rate, 1000 / site.window)
    processes = math.ceil(answers * measured.core / site.busy)
    databases = math.ceil(rows / (measured.rows * site.busy))
    cell = math.ceil(processes / databases)

    return [
        Step("S", "answers being written", "V · a", answers),
        Step("C", "chunks per second", "S · r", chunks),
        Step("R", "rows per second: chunks in one window are one row", "S · min(r, 1000/W)", rows),
        Step("Q", "questions per second", "S / t", answers / site.lasts),
        Step("P", "processes, one core each", "S · h / u", processes),
        Step("H", "hosts", "P / k", math.ceil(processes / site.cores)),
        Step("A", "answers per process", "S / P", answers / processes),
        Step(
            "M",
            "memory for them, MB",
            "A · m / 1024",
            answers / processes * measured.kilobytes / 1024,
        ),
        Step("D", "databases, each with its processes a cell", "R / (J · u)", databases),
        Step("N", "processes of a cell", "P / D", cell),
        Step("G", "commits per second of a cell", "N · 1000/W", cell * 1000 / site.window),
        Step("K", "connections of a cell", "N · c", cell * site.connections),
        Step("L", "hints delivered per second in a cell", "N² · n", cell**2 * site.hints),
        Step("B", "polls per second of a cell without hints", "N · 20", cell * 20),
        Step("T", "messages stored a day", "Q · 2 · 86,400", answers / site.lasts * 172_800),
    ]


def table(sites: Sequence[Site], measured: Measured | None) -> Iterator[str]:
    """The steps of several sites side by side, as Markdown; empty before anything was measured."""

    unknown = Measured(1.0, 1.0, 1.0)
    columns = [calculate(site, measured or unknown) for site in sites]
    heads = [f"a = {site.answered:.0%}" for site in sites]
    yield f"| | formula | {' | '.join(heads)} |"
    yield "|---|---|" + "---|" * len(sites)

    for steps in zip(*columns, strict=True):
        words = f"{steps[0].symbol}: {steps[0].words}"
        cells = [f"{step.value:,.0f}" if measured else "" for step in steps]
        yield f"| {words} | {steps[0].formula} | {' | '.join(cells)} |".replace("|  |", "| |")


def load(path: Path) -> Measured:
    """What a file of figures holds; raises `KeyError` for a row that it has not."""

    found = report.load(path)

    def median(row: str, key: str) -> float:
        return statistics.median(values[key] for values in found[row])

    return Measured(
        core=median("pages", "core") / 100,
        kilobytes=median("memory", "stream"),
        rows=median("throughput", "journal_postgres"),
    )


def main() -> None:
    """The command."""

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figures", type=Path, help="what --keep has kept; formulas alone without")
    arguments = parser.parse_args()
    measured = load(arguments.figures) if arguments.figures else None
    print("\n".join(table(SITES, measured)))


if __name__ == "__main__":
    main()
