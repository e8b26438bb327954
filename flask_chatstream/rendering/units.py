"""The top-level parts of some parsed lines, and which of them are final."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from markdown_it.token import Token

from .lines import read_fence


@dataclass(frozen=True, slots=True)
class Unit:
    """A top-level block or definition: its first line, the one after it, its tokens."""

    start: int
    end: int
    tokens: list[Token]

    @property
    def is_definition(self) -> bool:
        return self.tokens[0].type == "definition"


def split_units(tokens: list[Token]) -> list[Unit]:
    """Top-level blocks and definitions, in order."""
    starts = [n for n, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
    parts = [tokens[a:b] for a, b in pairwise([*starts, len(tokens)])]
    return [Unit(*_get_span(part[0]), part) for part in parts]


def _get_span(token: Token) -> tuple[int, int]:
    start, end = token.map or (0, 0)
    return start, end


def find_end_of_final(units: list[Unit], lines: list[str]) -> int:
    """The line up to which nothing can change any more."""
    if not units:
        return 0

    last = units[-1]

    if last.tokens[0].type in ("heading_open", "hr") or _is_closed_fence(last, lines):
        return last.end

    # A paragraph right below a definition may turn out to be that definition's title.
    if len(units) > 1 and last.tokens[0].type == "paragraph_open":
        before = units[-2]
        return before.start if before.is_definition and before.end == last.start else last.start

    return last.start


def _is_closed_fence(unit: Unit, lines: list[str]) -> bool:
    if unit.tokens[0].type != "fence" or unit.end - unit.start < 2:
        return False

    fence = read_fence(lines[unit.start])
    return fence is not None and fence.closing.match(lines[unit.end - 1]) is not None
