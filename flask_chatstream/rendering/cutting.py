"""Finding the finished blocks of a text that is still being written.

CommonMark closes blocks line by line and only the last block is open, so whatever stands before
the last block of the complete lines is final. Parsing the open block again at every line would be
quadratic; so most cuts are made at lines that surely begin a new block, and otherwise the open
lines are parsed when they have grown by half. All of this depends on the text alone, never on
how it was cut into pieces: block numbers are the same in every process.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile

from .budget import Budget
from .lines import (
    OpenFence,
    begins_after_blank,
    interrupts,
    is_blank,
    is_whole_block,
    normalize,
    read_fence,
    weigh,
)
from .markdown import Block, Definition, parse_blocks
from .units import Unit, find_end_of_final, split_units

#: An open block that weighs more than this (see `lines.weigh`) is shown as typed up to there.
MAX_WEIGHT = 60_000

#: The open lines are parsed again when they weigh so many times what they did.
GROWTH = 1.5

#: Past its budget, a text is cut at the first blank line after so many characters.
PLAIN_BLOCK = 2_000


@dataclass(frozen=True, slots=True)
class Cut:
    """What became final at one point of the text: its blocks, and link definitions by label."""

    blocks: list[Block]
    definitions: dict[str, Definition]


class Cutter:
    """Takes a text piece by piece and gives the finished blocks.

    With ``patient``, blocks are given later (at sure places only) but at less cost: for a text
    that is there as a whole.
    """

    def __init__(self, *, patient: bool = False):
        self.budget = Budget()
        self.lines: list[str] = []
        self.fence: OpenFence | None = None
        self.parsed_lines = 0
        self._patient = patient
        self._begun: list[str] = []
        self._held_return = False
        self._weight = 0
        self._next_look = 0
        self._in_doubt = False
        self._cuts: list[Cut] = []

    @property
    def is_plain(self) -> bool:
        """True once the text has used up its budget: the rest is shown as typed, by paragraphs."""
        return self.budget.exhausted

    @property
    def partial(self) -> str:
        """The last line, as far as it has come."""
        if len(self._begun) > 1:
            self._begun = ["".join(self._begun)]

        return self._begun[0] if self._begun else ""

    def feed(self, text: str) -> list[Cut]:
        """Take more of the text; what became final by it."""
        text = "\r" + text if self._held_return else text
        self._held_return = text.endswith("\r")
        first, *rest = normalize(text[:-1] if self._held_return else text).split("\n")
        self._begun += [first] if first else []

        for part in rest:
            self._take_line(self.partial)
            self._begun = [part] if part else []

        if not self.is_plain and self.fence is None and self._follows_blank(self.partial):
            self._end_block()

        return self._take_cuts()

    def close(self) -> list[Cut]:
        """Take the end of the text; the rest of it is final."""
        if self.partial or self._held_return:
            self._take_line(self.partial)

        self._begun, self._held_return = [], False
        self._seal_all()
        return self._take_cuts()

    def _take_cuts(self) -> list[Cut]:
        cuts, self._cuts = self._cuts, []
        return cuts

    def _take_line(self, line: str) -> None:
        if self.is_plain:
            self._take_plain(line)
        elif self.fence is not None:
            self._take_code(line)
        elif not self.lines:
            self._take_first(line)
        else:
            self._take_next(line)

    def _take_plain(self, line: str) -> None:
        if line.strip() or self.lines:
            self.lines.append(line)
            self._weight += len(line) + 1

        if self._weight > PLAIN_BLOCK and not line.strip():
            self._seal_plain()

    def _take_code(self, line: str) -> None:
        assert self.fence is not None
        self.lines.append(line)

        if self.fence.closing.match(line):
            self._seal_all()

    def _take_first(self, line: str) -> None:
        if is_blank(line):
            return

        self._add(line)
        self.fence = read_fence(line)

        if self.fence is None and is_whole_block(line):
            self._seal_all()
        elif self._weight > MAX_WEIGHT:
            self._seal_plain()
        else:
            self._next_look = int(self._weight * GROWTH)

    def _take_next(self, line: str) -> None:
        if self._begins_block(line):
            self._end_block()
            self._take_line(line)
            return

        self._add(line)
        self._in_doubt |= read_fence(line) is not None

        if self._weight > MAX_WEIGHT or (self._weight >= self._next_look and not self._patient):
            self._look(line)

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._weight += weigh(line)

    def _begins_block(self, line: str) -> bool:
        return interrupts(line) or self._follows_blank(line)

    def _follows_blank(self, line: str) -> bool:
        return bool(self.lines) and is_blank(self.lines[-1]) and begins_after_blank(line)

    def _end_block(self) -> None:
        # An indented fence may be open at the top level or inside a list: only parsing tells.
        if self._in_doubt:
            self._settle()

        if self.fence is None:
            self._seal_all()

    def _look(self, line: str) -> None:
        if not is_blank(line) or self._weight > MAX_WEIGHT:
            self._settle()

        if self._weight > MAX_WEIGHT and self.fence is None:
            self._seal_plain()

    def _settle(self) -> None:
        """Parse the open lines, and seal those that are final."""
        units, definitions = self._parse()
        rest = self._seal(units, definitions, find_end_of_final(units, self.lines))
        self._restart(rest)

        if self.lines and not self.is_plain and units[-1].tokens[0].type == "fence":
            self.fence = read_fence(self.lines[0])

    def _seal_all(self) -> None:
        if self.is_plain:
            self._seal_plain()
        elif self.lines:
            self._restart(self._seal(*self._parse(), len(self.lines)))

    def _seal_plain(self) -> None:
        if self.lines:
            block = Block(self._source(0, len(self.lines)), None, "plain")
            self.budget.charge_unread(self._weight)
            self._cuts.append(Cut([block], {}))
            self._restart([])

    def _restart(self, lines: list[str]) -> None:
        """Go on with these lines as the open ones."""
        self.lines, self.fence, self._in_doubt = [], None, False

        if self.is_plain:
            self._weight = 0

            for line in lines:
                self._take_plain(line)

            return

        self.lines = list(dropwhile(is_blank, lines))
        self._weight = sum(map(weigh, self.lines))
        self._next_look = int(self._weight * GROWTH)

    def _parse(self) -> tuple[list[Unit], dict[str, Definition]]:
        self.parsed_lines += len(self.lines)
        tokens, definitions = parse_blocks(self._source(0, len(self.lines)))
        return split_units(tokens), definitions

    def _seal(self, units: list[Unit], definitions: dict[str, Definition], end: int) -> list[str]:
        """Make blocks of what stands before line ``end``; the lines that are left."""
        blocks: list[Block] = []

        for unit in units:
            if unit.start >= end or self.is_plain:
                end = min(end, unit.start)
                break

            blocks += self._make_block(unit)

        known = {label: found for label, found in definitions.items() if found["map"][0] < end}

        if blocks or known:
            self._cuts.append(Cut(blocks, known))

        return self.lines[end:]

    def _make_block(self, unit: Unit) -> list[Block]:
        manner = self.budget.judge(unit.tokens)
        block = Block(self._source(unit.start, unit.end), unit.tokens, manner)
        self.budget.charge(unit.tokens, block.source, manner)
        return [] if unit.is_definition else [block]

    def _source(self, start: int, end: int) -> str:
        return "\n".join(self.lines[start:end]) + "\n"
