"""What came of the rows: lines for whoever waits, a table for the docs, and a file between runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .row import Figure, Row, Values, written

#: The rounds of each row that was measured.
Rounds = dict[str, list[Values]]
HEAD = ("| row | figure | goal | seen | |", "|---|---|---|---|---|")


def seen(figure: Figure, values: list[float]) -> str:
    """The median of the rounds, and their range where there are several."""

    if not values:
        return ""

    middle = written(statistics.median(values), figure.unit)

    if len(values) == 1:
        return middle

    low, high = (written(end(values), "") for end in (min, max))

    return f"{middle} ({low} - {high})"


def lines(row: Row, rounds: list[Values]) -> Iterator[str]:
    """A row's figures for a terminal."""

    for figure, values in _figures(row, rounds):
        verdict = figure.verdict(values) if values else "not measured"
        goal = f"  goal: {figure.goal}" if figure.goal else ""
        yield f"{row.name:<11} {figure.words}: {seen(figure, values)}{goal}  {verdict}".rstrip()


def markdown(rows: Iterable[Row], found: Mapping[str, list[Values]]) -> Iterator[str]:
    """All figures as the table of ``docs/performance.md``; what was not measured stays empty."""

    yield from HEAD

    for row in rows:
        for figure, values in _figures(row, found.get(row.name, [])):
            verdict = figure.verdict(values) if values else ""
            cells = (f"`{row.name}`", figure.words, figure.goal, seen(figure, values), verdict)
            yield f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _figures(row: Row, rounds: list[Values]) -> Iterator[tuple[Figure, list[float]]]:
    values = row.values(rounds)

    return ((figure, values[figure.key]) for figure in row.figures)


def load(path: Path) -> Rounds:
    """What earlier runs have kept; nothing when there is no file."""

    found: Rounds = json.loads(path.read_text()) if path.exists() else {}

    return found


def keep(path: Path, rounds: Rounds) -> None:
    """Keep what was measured for later runs."""

    path.write_text(json.dumps(rounds, indent=1) + "\n")
