"""One payload of a chat completions stream into a typed chunk. Pure.

Recorded streams of many providers were counted: what differs from OpenAI's own shape is accepted
here, and anything else is ``malformed``.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from flask_chatstream.errors import ProviderError
from flask_chatstream.events import FinishReason, Usage

#: The provider's finish reasons that mean something to us; every other one is "other" (S15).
FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class FunctionDelta(msgspec.Struct):
    """A piece of a call: the name comes once, the arguments in pieces."""

    name: str | None = None
    arguments: Any = None


class ToolDelta(msgspec.Struct):
    """A piece of the ``index``-th tool call; Mistral leaves the index out."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct):
    """What a chunk adds; null, an empty string and a missing field all mean nothing."""

    content: str | list[Any] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[ToolDelta] | None = None


class Choice(msgspec.Struct):
    """One of the answers; ``text`` is the older completions' delta."""

    index: int | None = 0
    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    usage: Any = None


class Chunk(msgspec.Struct):
    """One ``data:`` of the stream."""

    choices: list[Choice] | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(Chunk).decode


def decode_chunk(data: str) -> Chunk:
    """The chunk in a payload; raises `ProviderError` ``malformed``."""

    try:
        return _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        pass

    # Lone surrogates are legal in JSON; the standard library reads them (L9).
    try:
        return msgspec.convert(json.loads(data), Chunk)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise ProviderError("malformed", f"no chunk: {type(error).__name__}") from None


def decode_usage(raw: object) -> Usage | None:
    """The token counts in a ``usage`` object, made counts by `Usage`; None when it holds none."""

    if not isinstance(raw, dict):
        return None

    prompt: Any = raw.get("prompt_tokens")
    completion: Any = raw.get("completion_tokens")

    if prompt is None and completion is None:
        return None

    cached = _detail(raw, "prompt_tokens_details", "cached_tokens")
    hit: Any = raw.get("prompt_cache_hit_tokens")

    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        reasoning_tokens=_detail(raw, "completion_tokens_details", "reasoning_tokens"),
        cached_tokens=hit if cached is None else cached,
    )


def _detail(raw: dict[str, Any], group: str, name: str) -> Any:
    details = raw.get(group)

    return details.get(name) if isinstance(details, dict) else None
