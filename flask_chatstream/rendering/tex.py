r"""Closing a formula that is only half written, for show: ``\frac{a`` is a fraction at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .mathml import render_formula

#: So often is a formula that cannot be set cut back by a word.
MAX_CUTS = 6

#: What says nothing yet: a command that may go on, a mark without its argument, half a closing.
_UNDECIDED = re.compile(
    r"(?:\\(?:begin|end)\s*\{[^{}]*|\\(?:left|right|[bB]igg?[lrm]?)?|\\[A-Za-z]+|[\^_$&]|\s)+\Z"
)
_STEP = re.compile(
    r"\\begin\s*\{(?P<begin>[^{}]*)\}|\\(?P<end>end)\s*\{[^{}]*\}|\\(?P<left>left)(?![A-Za-z])"
    r"|\\(?P<right>right)(?![A-Za-z])|\\[A-Za-z]+\s*(?P<option>\[)"
    r"|\\(?:[cdt]?frac|[dt]?binom|overset|underset|stackrel)\s*(?P<first>\{)|\\(?:[A-Za-z]+|.)"
    r"|(?P<brace>\{)|(?P<close>\})|(?P<bracket>\])",
    re.DOTALL,
)
_CLOSERS = {"left": r"\right.", "option": "]{}", "first": "}{}", "brace": "}"}
#: Arguments that a command at the end may still want.
_ARGUMENTS = ("", "{}", "{}{}")


def find_healed(tex: str, *, is_display: bool) -> tuple[int, str] | None:
    """How much of a half-written formula can be set already, and what closes it."""
    for end, closers in _heal(tex):
        if render_formula((tex[:end] + closers).strip(), is_display=is_display) is not None:
            return end, closers

    return None


def _heal(tex: str) -> Iterator[tuple[int, str]]:
    """Ways to go on, the best first."""
    end = len(tex)

    for _ in range(MAX_CUTS):
        end = _find_decided_end(tex, end)

        if not end:
            return

        closers = _find_closers(tex[:end])
        yield from ((end, arguments + closers) for arguments in _ARGUMENTS)
        end = max(tex.rfind(" ", 0, end), tex.rfind("\n", 0, end), 0)


def _find_decided_end(tex: str, end: int) -> int:
    # Only the last words are looked at: what opens an environment is no longer than that.
    start = max(0, end - 80)
    found = _UNDECIDED.search(tex[start:end])

    return end if found is None else start + found.start()


def _find_closers(tex: str) -> str:
    opened: list[str] = []

    for step in _STEP.finditer(tex):
        kind = step.lastgroup

        if kind == "begin":
            opened.append(rf"\end{{{step['begin']}}}")
        elif kind in _CLOSERS:
            opened.append(_CLOSERS[kind])
        elif kind is not None and opened and (kind != "bracket" or opened[-1][0] == "]"):
            opened.pop()

    return "".join(reversed(opened))
