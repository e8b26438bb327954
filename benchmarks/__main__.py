"""Measure the rows of the table of goals, and say which are reached.

    python -m benchmarks                          all rows; sized for twenty minutes
    python -m benchmarks stop lag                 some of them
    python -m benchmarks cpu --streams 200 --tokens 500 --rounds 5 --systems process,off
    python -m benchmarks soak --times 36000       an hour of ten chats a second
    python -m benchmarks --keep figures.json --markdown     add to a file; print the docs' table

Lines go to the standard error while it works. A row that loses
text has no figures, and the run ends with an error.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from . import report
from .bench import Bench
from .row import Load, Lost, Row, Values
from .rows import ROWS


def parse() -> argparse.Namespace:
    """The command line."""

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    about = "; ".join(f"{row.name}: {row.about}" for row in ROWS.values())
    parser.add_argument("rows", nargs="*", metavar="ROW", help=about)
    parser.add_argument("--tiny", action="store_true", help="shows that the rows work, no more")
    parser.add_argument("--markdown", action="store_true", help="print the table of the docs")
    parser.add_argument("--keep", type=Path, help="a file to which the figures are added")

    for field in fields(Load):
        parser.add_argument(f"--{field.name}", type=_kind(field.type), help="instead of the row's")

    arguments = parser.parse_args()

    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")

    return arguments


def _kind(annotation: Any) -> Any:
    kinds = {"int": int, "float": float}

    return kinds.get(annotation, lambda text: tuple(text.split(",")))


def measure(bench: Bench, row: Row, load: Load) -> list[Values]:
    """All rounds of a row."""

    rounds = []

    for number in range(load.rounds):
        bench.say(f"{row.name}, round {number + 1} of {load.rounds}")
        rounds.append(row.measure(bench, load))

    return rounds


def measure_all(
    bench: Bench, rows: Iterable[tuple[Row, Load]], found: report.Rounds, keep: Path | None = None
) -> bool:
    """Add the rows' figures to those that are found; whether no row has lost anything."""

    is_well = True

    for row, load in rows:
        try:
            found[row.name] = measure(bench, row, load)
        except Lost as error:
            bench.say(f"{row.name}: {error}")
            found.pop(row.name, None)
            is_well = False
            continue

        for line in report.lines(row, found[row.name]):
            bench.say(line)

        if keep is not None:
            report.keep(keep, found)

    return is_well


def main() -> int:
    """The command; its exit code."""

    arguments = parse()
    given = {f.name: getattr(arguments, f.name) for f in fields(Load)}
    changes = {name: value for name, value in given.items() if value is not None}
    rows = [ROWS[name] for name in arguments.rows or ROWS]
    loads = [replace(row.tiny if arguments.tiny else row.load, **changes) for row in rows]
    found = report.load(arguments.keep) if arguments.keep else {}
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench = Bench(shares=arguments.tiny)

    try:
        is_well = measure_all(bench, zip(rows, loads, strict=True), found, arguments.keep)
    finally:
        bench.close()

    if arguments.markdown:
        print("\n".join(report.markdown(ROWS.values(), found)))

    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
