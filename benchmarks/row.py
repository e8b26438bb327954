"""What is measured: a row of the table of goals, its figures, and the load that gives them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bench import Bench

#: One round's values by the figures' keys; a figure whose services are missing has none.
Values = dict[str, float]


class Lost(Exception):
    """Text did not arrive, or somebody else's did: nothing that was measured counts."""


@dataclass(frozen=True)
class Load:
    """How much a row does in one round, and how many rounds there are.

    ``rate`` is tokens per second and stream, ``times`` how often an act is repeated.
    """

    rounds: int = 3
    streams: int = 1
    tokens: int = 100
    rate: float = 20.0
    times: int = 1
    conversations: int = 0
    systems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One figure; ``most`` or ``least`` is its goal, and without either it is told only."""

    key: str
    words: str
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words."""

        if self.most is not None:
            return f"at most {_joined(f'{self.most:,g}', self.unit)}"

        return f"at least {_joined(f'{self.least:,g}', self.unit)}" if self.least else ""

    def verdict(self, values: list[float]) -> str:
        """Whether the median reaches the goal."""

        middle = statistics.median(values)

        if self.most is None and self.least is None:
            return ""

        is_low = self.most is None or middle <= self.most
        is_high = self.least is None or middle >= self.least

        return "reached" if is_low and is_high else "missed"


@dataclass(frozen=True)
class Row:
    """A command of `python -m benchmarks`: ``measure`` is one round of it."""

    name: str
    about: str
    measure: Callable[[Bench, Load], Values]
    figures: tuple[Figure, ...]
    load: Load
    #: So small that it shows nothing but that the row works.
    tiny: Load

    def values(self, rounds: list[Values]) -> Mapping[str, list[float]]:
        """Each figure's values, in order of the rounds."""

        return {
            figure.key: [values[figure.key] for values in rounds if figure.key in values]
            for figure in self.figures
        }


def written(value: float, unit: str) -> str:
    """A value with its unit, in as many digits as it deserves."""

    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2

    return _joined(f"{value:,.{digits}f}", unit)


def _joined(number: str, unit: str) -> str:
    return f"{number}{unit}" if unit in ("x", "%") else f"{number} {unit}".rstrip()
