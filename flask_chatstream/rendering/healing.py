"""Closing what is only half written, for show: ``**bo`` is bold at once, ``[text](ht`` a word.

Works on the display copy of the open block alone; what is sealed never comes through here. The
inline text is healed after the blocks are known, since only they say what is code, what is a cell
and where the open end is.
"""

from __future__ import annotations

import re

from markdown_it.token import Token

from .marks import heal_inline
from .tex import find_healed

_ONLY_MARKERS = re.compile(r"[ \t>*+-]*\d{1,9}[.)]?[ \t]*|[-+*>#=|:_~`\\$ \t]+|[ \t>*+-]*\\\[")
_FENCE_OPENING = re.compile(r"[ \t>*+-]*(?:`{3,}[^`]*|~{3,}.*)")
_TASK_OPENING = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])[ \t]+\[(?:[ xX]\]?)?[ \t]*")
_TASK = re.compile(r"\[[ xX]\][ \t]+")


def hold_back(text: str) -> str:
    """The text without a begun last line that says nothing yet but which block it may open."""
    start = text.rfind("\n") + 1
    line = text[start:]

    if any(p.fullmatch(line) for p in (_ONLY_MARKERS, _FENCE_OPENING, _TASK_OPENING)):
        return text[:start]

    return text


def begins_table(tokens: list[Token], text: str) -> bool:
    """True where the text ends in what will be a table's head, but has no line of dashes yet."""
    at = _find_last(tokens)

    if at is None or tokens[at - 1].type != "paragraph_open":
        return False

    head = tokens[at].content.rsplit("\n", 1)[-1]
    return head.startswith("|") and head.strip("| \t") != "" and _is_open(tokens, at, text)


def complete_table(text: str) -> str:
    """The text with a line of dashes below its last line, a table's head."""
    lines = text.rstrip("\n").rsplit("\n", 1)
    head = lines[-1]
    cells = head.count("|") - head.count("\\|") - head.rstrip().endswith("|")
    indent = re.sub(r"[^>\s]", " ", head.partition("|")[0])
    return "\n".join([*lines, indent + "|---" * cells + "|"])


def heal_tokens(tokens: list[Token], text: str) -> None:
    """Close the open marks of the last inline text, if the text's end is still inside it."""
    if tokens and tokens[-1].type == "formula":
        _heal_formula(tokens[-1])

    at = _find_last(tokens)

    if at is None or not _is_open(tokens, at, text):
        return

    task = _TASK.match(tokens[at].content) if tokens[at - 2].type == "list_item_open" else None
    start = task.end() if task else 0
    healed = heal_inline(tokens[at].content[start:])
    tokens[at].content = tokens[at].content[:start] + healed if healed else ""


def _heal_formula(token: Token) -> None:
    """Set what is there of a formula; one that cannot be set is shown as it was typed."""
    if token.meta["is_closed"]:
        return

    healed = find_healed(token.content, is_display=True)
    token.meta["is_closed"] = True
    token.content = token.content[: healed[0]] + healed[1] if healed else ""


def _find_last(tokens: list[Token]) -> int | None:
    """The last token with content, if that is inline text and not code."""
    at = next((n for n in range(len(tokens) - 1, -1, -1) if tokens[n].content), 0)
    return at if at and tokens[at].type == "inline" else None


def _is_open(tokens: list[Token], at: int, text: str) -> bool:
    lines = text.count("\n") + (not text.endswith("\n"))
    span = tokens[at].map

    if span is None or span[1] < lines:
        return False

    return tokens[at - 1].type == "paragraph_open" or not text.endswith("\n")
