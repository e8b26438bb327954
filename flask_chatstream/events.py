"""What a provider says while it answers: a closed set of frozen values.

Every wire format is decoded into these and nothing else, so that no provider can drive the
interface (S15). They know no Flask, SQLAlchemy, gevent or SDK.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

#: Most tokens that one count may say: what the tables' columns hold.
MOST_TOKENS = 2**31 - 1

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "other"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, in Markdown; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning; kept apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole call of one of the site's functions; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request; the last one given in a stream is the one that holds.

    They come from outside, so that each is made a count whatever was given: a number is cut to a
    whole one from 0 to `MOST_TOKENS`; what is no number, a truth value included, is 0.
    """

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _count(getattr(self, field.name)))


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider's own word that the answer is whole. Without it no answer is complete."""

    reason: FinishReason
    model: str | None = None


Event = TextDelta | ReasoningDelta | ToolCall | Usage | Finished


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0

    # Of all numbers only NaN is not equal to itself.
    return int(min(max(value, 0), MOST_TOKENS)) if value == value else 0
