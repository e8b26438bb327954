"""What the fake model server does with one call, and how a prompt says so.

A directive in double square brackets in any message wins over what was enqueued::

    Hello [[tokens=200 rate=50]]
    [[status=429 retry_after=1 times=2]]     refused twice, then answered
    [[tokens=20 stall=mid]]                  ten tokens, then silence until the client closes
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_type_hints

_DIRECTIVE = re.compile(r"\[\[([^\[\]]*)\]\]")
_PART = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True)
class Behaviour:
    """One answer; the defaults are a good one."""

    #: Words ``w0 w1 w2 …``, or the pieces of ``text`` when there is one.
    tokens: int = 20
    text: str = ""
    #: Tokens a second; 0 is as fast as it goes.
    rate: float = 0.0
    #: Silence before the headers, before the first token or after half of them, which the client
    #: ends by closing, or the test by ``until``.
    stall: Literal["", "headers", "first", "mid"] = ""
    until: threading.Event | None = None
    #: Bytes of the body after which the server leaves; -1 is never.
    cut: int = -1
    cut_by: Literal["close", "reset"] = "close"
    #: An answer other than 200, for the first ``times`` calls of the same prompt (0: for all).
    status: int = 200
    times: int = 0
    retry_after: str = ""
    body: str = ""
    content_type: str = ""
    location: str = ""
    #: Within the stream, after that many tokens: an error event, an event that is no JSON.
    error_after: int = -1
    malformed_after: int = -1
    reasoning: int = 0
    finish: str = "stop"
    done: bool = True
    usage: bool = True
    #: The body as it stands, in place of everything above.
    raw: bytes = b""
    framing: Literal["chunked", "length", "close"] = "chunked"
    #: Bytes a write; 0 is one event a write.
    split: int = 0

    def pieces(self) -> list[str]:
        """The answer's text, token by token."""

        if self.text:
            return re.findall(r"\s*\S+|\s+$", self.text)

        return [f"w{n} " for n in range(self.tokens)]


def expected_text(tokens: int) -> str:
    """The whole text of an answer of so many tokens."""

    return "".join(Behaviour(tokens=tokens).pieces())


def read_directive(messages: list[dict[str, Any]], default: Behaviour) -> Behaviour:
    """The behaviour that the last directive in a conversation asks for."""

    found = [d for m in messages for d in _DIRECTIVE.findall(str(m.get("content", "")))]

    return from_words(found[-1], default) if found else default


def from_words(words: str, default: Behaviour | None = None) -> Behaviour:
    """``tokens=20 rate=5`` as a behaviour."""

    hints = get_type_hints(Behaviour)
    known = {f.name for f in fields(Behaviour)} - {"raw", "until"}
    values: dict[str, Any] = {}

    for name, value in _PART.findall(words):
        if name in known:
            kind = hints[name]
            values[name] = (
                value not in ("0", "no") if kind is bool
                else kind(value) if kind in (int, float)
                else value
            )  # fmt: skip

    return replace(default or Behaviour(), **values)


def events(behaviour: Behaviour, model: str) -> Iterator[tuple[str, bytes]]:
    """The stream as ``(kind, bytes)``; kind is "token" for what the rate counts."""

    if behaviour.raw:
        yield "raw", behaviour.raw
        return

    yield "role", _event(_chunk(model, {"role": "assistant", "content": ""}))

    for n in range(behaviour.reasoning):
        yield "token", _event(_chunk(model, {"reasoning_content": f"r{n} "}))

    for n, piece in enumerate(behaviour.pieces()):
        if n == behaviour.error_after:
            failure = {"message": "the fake server failed", "type": "server_error"}
            yield "error", _event({"error": failure})
            return

        if n == behaviour.malformed_after:
            yield "malformed", b'data: {"choices": [\n\n'

        yield "token", _event(_chunk(model, {"content": piece}))

    if behaviour.finish != "none":
        yield "finish", _event(_chunk(model, {}, behaviour.finish))

    if behaviour.usage:
        yield "usage", _event(_usage(behaviour, model))

    if behaviour.done:
        yield "done", b"data: [DONE]\n\n"


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": model,
        "system_fingerprint": "fp_fake",
        "choices": [choice],
    }


def _usage(behaviour: Behaviour, model: str) -> dict[str, Any]:
    count = len(behaviour.pieces()) + behaviour.reasoning
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": count,
        "total_tokens": 7 + count,
        "completion_tokens_details": {"reasoning_tokens": behaviour.reasoning},
    }

    return {**_chunk(model, {}), "choices": [], "usage": usage}


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"
