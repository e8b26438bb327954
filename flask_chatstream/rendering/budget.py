"""How much work a text may make before it is shown as typed (S19).

The estimate reads only the text, never a clock, so that every process and every way of cutting
the text decides alike. Its unit is a microsecond on a slow
or busy core, half a microsecond on a good one.
"""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token

from .formulas import INLINE_MARK
from .highlight import MAX_HIGHLIGHT
from .markdown import Manner

#: What one block may cost.
BLOCK_LIMIT = 100_000

#: What a text may cost: so much, and more for each character, but never more than the last.
#: Common answers cost 1.3 a character, those made of short pieces 3.
TEXT_LIMIT = 100_000
TEXT_SHARE = 4
TEXT_MOST = 800_000

_MARKS = "*_~`[]<&!\\:\n"


def _estimate_inline(text: str) -> float:
    length = len(text)
    marks = sum(map(text.count, _MARKS))
    links = text.count("://") + text.count("@") + text.count("](")
    # Each bracket and each address may be followed to the end of the text.
    far = sum(map(text.count, ("[", "://", "www."))) * length
    each = 3.25 if INLINE_MARK[0] in text else 0.25
    return each * length + 3.5 * marks + 4 * max(0, marks - length / 8) + 20 * links + 0.04 * far


def _estimate_rendering(tokens: Sequence[Token]) -> float:
    inline = sum(_estimate_inline(token.content) for token in tokens if token.type == "inline")
    code = sum(len(token.content) for token in tokens if token.type in ("fence", "code_block"))
    formulas = sum(len(token.content) for token in tokens if token.type == "formula")
    return inline + 0.1 * code + 3 * formulas + 4 * len(tokens) + 30


def _count_code(tokens: Sequence[Token]) -> int:
    return sum(len(token.content) for token in tokens if token.type == "fence")


class Budget:
    """What one text has used up so far."""

    def __init__(self) -> None:
        self.coloured = 0
        self._spent = 0.0
        self._limit = float(TEXT_LIMIT)

    @property
    def exhausted(self) -> bool:
        """True when nothing more of the text is to be read as Markdown."""
        # Not at the limit itself: parsing block after block only to refuse it costs too.
        return self._spent >= 0.9 * min(self._limit, TEXT_MOST)

    def judge(self, tokens: Sequence[Token]) -> Manner:
        """How a block with these tokens may be shown, as things stand."""
        cost = _estimate_rendering(tokens)

        if cost > BLOCK_LIMIT or self._spent + cost > min(self._limit, TEXT_MOST):
            return "plain"

        return "coloured" if self.coloured + _count_code(tokens) <= MAX_HIGHLIGHT else "bare"

    def charge(self, tokens: Sequence[Token], source: str, manner: Manner) -> None:
        """Book a block that was judged so."""
        self._spent += 4 * len(tokens) + 4 * source.count("\n")
        self._limit += TEXT_SHARE * len(source)

        if manner != "plain":
            self._spent += _estimate_rendering(tokens)

        if manner == "coloured":
            self.coloured += _count_code(tokens)

    def charge_unread(self, weight: int) -> None:
        """Book a block that was too big to be read as Markdown."""
        self._spent += weight
