"""The finished blocks' HTML, and its amendment when a link's definition comes after its use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from markupsafe import Markup

from .cutting import Cut
from .markdown import Block, Definition, References, render_block

#: Amending may cost so many times what rendering did; the rest waits for the end of the text.
AMENDING_SHARE = 2


class SealedBlocks:
    """HTML by block number, the log of amendments, and the link definitions known so far."""

    def __init__(self, image_hosts: frozenset[str] = frozenset()):
        self.html: list[Markup] = []
        self.amended: list[int] = []
        self.known: dict[str, Definition] = {}
        self._image_hosts = image_hosts
        self._blocks: dict[int, Block] = {}
        self._waiting: dict[str, set[int]] = {}
        self._stale: set[int] = set()
        self._credit = 0

    def add(self, cut: Cut) -> None:
        """Take what became final at one point of the text."""
        new = cut.definitions.keys() - self.known.keys()
        self.known.update((label, cut.definitions[label]) for label in new)
        self._amend(new)

        for block in cut.blocks:
            self._append(block)

    def settle(self) -> None:
        """Make the amendments that had to wait."""
        for number in sorted(self._stale):
            self._render_again(number)

        self._stale.clear()

    def _append(self, block: Block) -> None:
        number = len(self.html)
        references = References(self.known)
        self.html.append(render_block(block, references, self._image_hosts))
        self._credit += AMENDING_SHARE * len(block.source)

        if references.missed:
            self._blocks[number] = replace(block, tokens=None)
            self._wait(number, references.missed)

    def _wait(self, number: int, labels: Iterable[str]) -> None:
        for label in labels:
            self._waiting.setdefault(label, set()).add(number)

    def _amend(self, labels: Iterable[str]) -> None:
        numbers = {n for label in labels for n in self._waiting.pop(label, ())}

        for number in sorted(numbers):
            cost = len(self._blocks[number].source)

            if cost > self._credit:
                self._stale.add(number)
                continue

            self._credit -= cost
            self._render_again(number)

    def _render_again(self, number: int) -> None:
        references = References(self.known)
        html = render_block(self._blocks[number], references, self._image_hosts)
        self._wait(number, references.missed)

        if html != self.html[number]:
            self.html[number] = html
            self.amended.append(number)
