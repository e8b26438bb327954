"""Closing the open marks of an inline text, for show: ``**bo`` is bold at once."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from .formulas import INLINE_MARK
from .tex import find_healed

#: More marks than this open at once are left as they are.
MAX_OPEN = 64

_MARK = re.compile(r"\\.?|`+|!?\[|\]|\*+|_+|~+|<|&", re.DOTALL)
_ADDRESS = re.compile(r"<[^<>\s]*>")
_HALF_ADDRESS = re.compile(r"<[A-Za-z/!?]?[^<>\s]*\Z")
_HALF_ENTITY = re.compile(r"&(?:#[xX]?[0-9A-Fa-f]{0,6}|[A-Za-z][A-Za-z0-9]{0,31})?\Z")
_TARGET = re.compile(
    r"\(\s*(?:<[^<>\n]*>|(?:[^\s()<]|\([^\s()]*\))*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"
)
_HALF_TARGET = re.compile(r"\((?:<[^<>\n]*|\S*(?:\s+(?:[\"'].*)?)?)\Z", re.DOTALL)
_HALF_LABEL = re.compile(r"\[[^\]]*\Z")


def heal_inline(text: str) -> str:
    """An inline text with its open marks closed and its undecided end left out."""
    return _Healing(text).run()


@dataclass(slots=True)
class _Opener:
    mark: str
    start: int
    length: int

    @property
    def is_bracket(self) -> bool:
        return self.mark in ("[", "![")


class _Healing:
    """One pass over an inline text: the marks still open, what to leave out, where to stop."""

    def __init__(self, text: str):
        self._text = text
        self._end = len(text)
        self._open: list[_Opener] = []
        self._dropped: list[tuple[int, int]] = []
        self._code_end = ""

    def run(self) -> str:
        pos = 0

        while (match := _MARK.search(self._text, pos, self._end)) is not None:
            pos = self._take(match)

        self._drop_brackets()
        self._drop_empty()
        return self._visible(0).rstrip() + self._closers()

    def _take(self, match: re.Match[str]) -> int:
        mark = match[0]

        if mark[0] in "*_~":
            return self._take_run(match)

        if mark[0] == "`":
            return self._take_code(match)

        if mark in ("[", "!["):
            if len(self._open) < MAX_OPEN:
                self._open.append(_Opener(mark, match.start(), len(mark)))

            return match.end()

        if mark == "]":
            return self._take_bracket(match.start())

        return self._take_other(match)

    def _take_other(self, match: re.Match[str]) -> int:
        if match[0] == INLINE_MARK[0]:
            return self._take_formula(match)

        if self._is_half(match):
            self._end = match.start()
            return self._end

        address = _ADDRESS.match(self._text, match.start())
        return address.end() if address else match.end()

    def _is_half(self, match: re.Match[str]) -> bool:
        if match[0][0] == "\\":
            return match[0] == "\\"

        half = _HALF_ADDRESS if match[0] == "<" else _HALF_ENTITY
        return half.match(self._text, match.start()) is not None

    def _take_code(self, match: re.Match[str]) -> int:
        run = match[0]
        closing = re.compile(rf"(?<!`){run}(?!`)").search(self._text, match.end())

        if closing is not None:
            return closing.end()

        body = self._text[match.end() :].rstrip("`")
        self._end = match.end() + len(body) if body.strip() else match.start()
        self._code_end = run if body.strip() else ""
        return self._end

    def _take_formula(self, match: re.Match[str]) -> int:
        closing = self._text.find(INLINE_MARK[1], match.end())

        if closing >= 0:
            return closing + len(INLINE_MARK[1])

        body = self._text[match.end() :]
        healed = find_healed(body, is_display=False)
        self._end = match.end() + healed[0] if healed else match.start()
        self._code_end = healed[1] + INLINE_MARK[1] if healed else ""
        return self._end

    def _take_bracket(self, at: int) -> int:
        opener = self._pop_bracket()
        after = at + 1

        if opener is None:
            return after

        if (target := _TARGET.match(self._text, after)) is not None:
            return target.end()

        halves = (_HALF_TARGET, _HALF_LABEL)

        if after < self._end and not any(half.match(self._text, after) for half in halves):
            return after

        self._end = opener.start if opener.mark == "![" else at
        self._dropped.append((opener.start, opener.start + opener.length))
        return self._end

    def _pop_bracket(self) -> _Opener | None:
        for n in range(len(self._open) - 1, -1, -1):
            if self._open[n].is_bracket:
                opener = self._open[n]
                del self._open[n:]
                return opener

        return None

    def _take_run(self, match: re.Match[str]) -> int:
        char, length = match[0][0], len(match[0])
        can_open, can_close = self._flanks(match)

        if can_close:
            length = self._close(char, length, at_end=match.end() == self._end)

        if match.end() == self._end:
            self._end -= length
        elif can_open and length and len(self._open) < MAX_OPEN and (char != "~" or length == 2):
            self._open.append(_Opener(char, match.end() - length, length))

        return match.end()

    def _close(self, char: str, length: int, *, at_end: bool) -> int:
        """Close openers of this kind with a run of this length; what is left of it."""
        for n in range(len(self._open) - 1, -1, -1):
            opener = self._open[n]

            if opener.is_bracket or not length:
                break

            if opener.mark != char:
                continue

            # Half of a closing mark: the other half is about to come.
            if at_end and length < opener.length:
                break

            used = min(length, opener.length)
            length -= used
            opener.length -= used
            del self._open[n + (opener.length > 0) :]

        return length

    def _flanks(self, match: re.Match[str]) -> tuple[bool, bool]:
        before = self._text[match.start() - 1] if match.start() else " "
        after = self._text[match.end()] if match.end() < len(self._text) else " "
        left = not after.isspace() and (not _is_punctuation(after) or _is_edge(before))
        right = not before.isspace() and (not _is_punctuation(before) or _is_edge(after))

        if match[0][0] == "_":
            return left and (not right or _is_punctuation(before)), right and (
                not left or _is_punctuation(after)
            )

        # 5*3 is a product more often than the start of something slanted.
        product = match[0] == "*" and before.isascii() and before.isalnum()
        return left and not product, right

    def _drop_brackets(self) -> None:
        for opener in self._open:
            if opener.mark == "![":
                self._end = min(self._end, opener.start)
            elif opener.mark == "[":
                self._dropped.append((opener.start, opener.start + 1))

        self._open = [o for o in self._open if not o.is_bracket and o.start < self._end]

    def _drop_empty(self) -> None:
        while self._open and not self._code_end:
            opener = self._open[-1]

            if self._visible(opener.start + opener.length).strip():
                return

            self._end = min(self._end, opener.start)
            self._open.pop()

    def _visible(self, start: int) -> str:
        parts = []

        for a, b in sorted(self._dropped):
            if a >= self._end:
                break

            parts.append(self._text[start:a])
            start = max(start, b)

        return "".join([*parts, self._text[start : max(start, self._end)]])

    def _closers(self) -> str:
        marks = (opener.mark * opener.length for opener in reversed(self._open))
        return self._code_end + "".join(marks)


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _is_edge(char: str) -> bool:
    return char.isspace() or _is_punctuation(char)
