r"""Formulas in a text: ``$$ ... $$`` and ``\[ ... \]`` as blocks, ``\( ... \)`` within a line.

A block begins with a line that opens it, whatever comes behind: it ends with a line that closes
it, and otherwise, as plain text, before a blank line or one that begins a heading or a fence. So no
line is ever read twice, and `cutting` need not know of formulas. Prices, ``$5`` or ``$$$``, are
none within a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from .lines import interrupts
from .mathml import MAX_TEX, render_formula
from .safety import plain

#: What closes a formula, by what opens it.
BLOCK_MARKS = {"$$": "$$", r"\[": r"\]"}
INLINE_MARK = (r"\(", r"\)")

_PLACE = re.compile('<span class="cs-formula">([0-9]+)</span>')


def read_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The parser's rule for a formula that stands by itself."""
    if state.is_code_block(start):
        return False

    first = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].rstrip()
    closing = BLOCK_MARKS.get(first[:2])
    behind = "" if closing is None else first[2:].partition(closing)[2]

    if closing is None or behind or first[2:].strip() == closing:
        return False

    if silent:
        return True

    after, is_closed = _find_end(state, start, end, closing)
    source = state.getLines(start, after, state.blkIndent, False)
    token = state.push("formula", "", 0)
    token.map = [start, after]
    token.markup = closing
    token.content = source.strip().removesuffix(closing)[2:] if is_closed else source.strip()[2:]
    token.meta = {"is_closed": is_closed, "source": source}
    state.line = after

    return True


def _find_end(state: StateBlock, start: int, end: int, closing: str) -> tuple[int, bool]:
    """The line behind a formula, and whether it is closed."""
    first = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]

    if first.rstrip()[2:].endswith(closing):
        return start + 1, True

    for line in range(start + 1, end):
        text = state.src[state.bMarks[line] : state.eMarks[line]]

        if state.isEmpty(line) or state.sCount[line] < state.blkIndent or interrupts(text):
            return line, False

        if text.rstrip().endswith(closing):
            return line + 1, True

    return end, False


def read_inline(state: StateInline, silent: bool) -> bool:
    """The parser's rule for a formula within a line."""
    opening, closing = INLINE_MARK
    start = state.pos + len(opening)

    if not state.src.startswith(opening, state.pos):
        return False

    end = state.src.find(closing, start, min(state.posMax, start + MAX_TEX))

    if end < 0 or not state.src[start:end].strip():
        return False

    if not silent:
        token = state.push("formula_inline", "", 0)
        token.content = state.src[start:end]

    state.pos = end + len(closing)

    return True


def render_token(token: Token) -> Markup:
    """A formula's HTML; as it was typed, where it cannot be set."""
    if token.type == "formula_inline":
        found = render_formula(token.content.strip(), is_display=False)
        return found or _as_typed(token.content.join(INLINE_MARK))

    if not token.meta["is_closed"]:
        return plain(token.meta["source"])

    if not token.content.strip():
        return Markup("")

    found = render_formula(token.content.strip(), is_display=True)
    inner = found or _as_typed(token.meta["source"].strip())
    return Markup('<div class="cs-formula" tabindex="0">{}</div>').format(inner)


def _as_typed(source: str) -> Markup:
    return Markup('<code class="cs-tex">{}</code>').format(escape(source))


def mark_place(number: int) -> Markup:
    """What stands for a block's formula until the rest of it has been cleaned."""
    return Markup('<span class="cs-formula">{}</span>').format(number)


def place_formulas(html: Markup, formulas: Sequence[Markup]) -> Markup:
    """The cleaned HTML of a block, with its formulas in the places that are marked."""
    if not formulas:
        return html

    return Markup(_PLACE.sub(lambda place: formulas[int(place[1])], str(html)))
