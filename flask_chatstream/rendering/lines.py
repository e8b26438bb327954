"""What a single line of Markdown says for sure about the blocks around it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r" {0,3}(?:(`{3,})([^`]*)|(~{3,})(.*))\Z")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|\Z)")
_WHOLE_BLOCK = re.compile(r" {0,3}(?:#{1,6}(?:[ \t]|\Z)|([-*_])(?:[ \t]*\1){2,}[ \t]*\Z)")
# What may join a list or an indented code block is not here, nor what is only half written.
_AFTER_BLANK = re.compile(r"[^\W\d_]|\*\*\w|[|>\[(\"'!$\\\u201c\u2018\u00ab]")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class OpenFence:
    """A fence without its end: its info string, and the pattern of a line that closes it."""

    info: str
    mark: str
    indent: int
    closing: re.Pattern[str]


def normalize(text: str) -> str:
    """Line ends as LF, and U+FFFD for what HTML or UTF-8 cannot carry."""
    return _UNREADABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def is_blank(line: str) -> bool:
    """True for a line that separates blocks."""
    return not line.strip(" \t")


def read_fence(line: str) -> OpenFence | None:
    """The fence that this line opens at the top level, if it does."""
    match = _FENCE.match(line)

    if match is None:
        return None

    run, info = (match[1], match[2]) if match[1] else (match[3], match[4])
    closing = re.compile(rf" {{0,3}}{run[0]}{{{len(run)},}}[ \t]*\Z")
    return OpenFence(info, run[0], len(line) - len(line.lstrip(" ")), closing)


def is_whole_block(line: str) -> bool:
    """True for a heading or a rule, if a block begins here."""
    return _WHOLE_BLOCK.match(line) is not None


def interrupts(line: str) -> bool:
    """True where a top-level block begins whatever stands above, an open fence apart."""
    if line[:1] in ("", " ", "\t"):
        return False

    return _HEADING.match(line) is not None or read_fence(line) is not None


def begins_after_blank(line: str) -> bool:
    """True where a top-level block begins if the line above is blank, an open fence apart.

    Holds for the beginning of a line too, whatever comes behind it.
    """
    return _AFTER_BLANK.match(line) is not None


def weigh(line: str) -> int:
    """What parsing costs: each line, its characters, and more for markers and indent, since
    nested blocks are gone through once for each level."""
    return len(line) + 10 + 5 * (len(line) - len(line.lstrip(" \t>-+*")))
