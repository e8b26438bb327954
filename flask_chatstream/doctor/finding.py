"""What a check has found, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "skipped", "warning", "failure"]

#: From nothing to say to the worst.
LEVELS: tuple[Level, ...] = ("skipped", "ok", "warning", "failure")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``help`` is what to do about it."""

    level: Level
    what: str
    help: str | None = None


def ok(what: str) -> Finding:
    """It is as it should be."""

    return Finding("ok", what)


def skipped(what: str, help: str | None = None) -> Finding:
    """It could not be looked at from here."""

    return Finding("skipped", what, help)


def warning(what: str, help: str) -> Finding:
    """The chat works, and could do better."""

    return Finding("warning", what, help)


def failure(what: str, help: str) -> Finding:
    """Something is broken, or a promise does not hold."""

    return Finding("failure", what, help)


def worst(findings: Iterable[Finding]) -> Level:
    """The level of the worst of them."""

    return max((f.level for f in findings), key=LEVELS.index, default="skipped")
