"""What an answer has used: over all of its generations, where Continue gave it more than one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from flask_chatstream.events import MOST_TOKENS
from flask_chatstream.models import Message

_BEFORE = select(
    Message.input_tokens, Message.output_tokens, Message.usage, Message.reasoning
).where(Message.id == bindparam("message"))


def add_up(connection: Connection, message_id: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """A message's totals with those that a generation has found; each may be None."""

    before = connection.execute(_BEFORE, {"message": message_id}).one()

    return {
        "input_tokens": _sum(before.input_tokens, found.get("input_tokens")),
        "output_tokens": _sum(before.output_tokens, found.get("output_tokens")),
        "usage": _sums(before.usage, found.get("usage")),
        "reasoning": _joined(before.reasoning, found.get("reasoning")),
    }


def _sum(before: int | None, found: int | None) -> int | None:
    if before is None or found is None:
        return found if before is None else before

    return min(before + found, MOST_TOKENS)


def _sums(before: dict[str, int] | None, found: dict[str, int] | None) -> dict[str, int] | None:
    if not before or not found:
        return before or found

    return {name: _sum(before.get(name), found.get(name)) or 0 for name in {**before, **found}}


def _joined(before: str | None, found: str | None) -> str | None:
    return "\n\n".join(part for part in (before, found) if part) or None
