"""The model server of the fault tests: what it says follows from the question alone.

A question is ``tag words rate``: so many words that all carry the tag, in Markdown, so many a
second. Any prefix of an answer can be checked, and a word shows whose it is. A directive behind it
may ask for a ``kind`` of answer other than that, and for whatever `Behaviour` knows.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from tests.fakes.behaviour import Behaviour
from tests.fakes.model_server import Call, ModelServer

#: What every server knows and none may show.
KEY = "sk-canary-5f3a9b1c7d"
LEAK = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'
_KIND = re.compile(r"\bkind=(\w+)")
_QUESTION = re.compile(r"^(?P<tag>[a-z]+) (?P<words>\d+) (?P<rate>\d+)")
WORD = re.compile(r"[a-z]{6,}\d+")


def question(tag: str, words: int, rate: int, directive: str = "") -> str:
    """What to ask for; ``directive`` is the model server's own."""

    return f"{tag} {words} {rate} {directive}".strip()


def answer(tag: str, words: int) -> str:
    """The whole answer: prose with marks, lists, code, and letters beyond the first plane."""

    return "".join(_piece(tag, n) for n in range(words))


def _piece(tag: str, n: int) -> str:
    word = f"{tag}{n}"
    step = n % 60

    if step == 40:
        return f"\n\n```\n{word}\n"

    if step == 45:
        return f"{word}\n```\n\n"

    if 50 <= step < 54:
        return f"\n- {word}"

    if step == 54:
        return f"\n\n{word} "

    marks = {7: f"**{word}** ", 13: f"{word} 🦉 ", 20: f"{word}.\n\n", 31: f"`{word}` é "}

    return marks.get(step, f"{word} ")


def said(asked: str) -> str:
    """What the answer to a question is, as it has to be stored."""

    tag, count, *_ = asked.split()
    kind = _kind(asked)

    if kind == "odd":
        return "".join(_stored_odd(tag, n) for n in range(int(count)))

    if kind == "flat":
        return "".join(_flat(tag, int(count)))

    return {"refusal": f"{tag}0 no", "tools": "", "reasoning": ""}.get(
        kind, answer(tag, int(count))
    )


def _kind(asked: str) -> str:
    match = _KIND.search(asked)

    return match[1] if match else ""


def _odd(tag: str, n: int) -> str:
    """Text that no database holds, or that somebody takes for the end of a line or an event."""

    return (
        f"{tag}{n} \0 \ud800 a\u2028b\x85c\rd\r",
        f"\ne {tag}{n} \ud83e",
        f"\udd89 \ufeff {tag}{n}\n\nevent: end\ndata: x\n\n",
    )[n % 3]


def _stored_odd(tag: str, n: int) -> str:
    fffd = "\N{REPLACEMENT CHARACTER}"
    text = _odd(tag, n).replace("\0", fffd).replace("\ud800", fffd)

    # The halves of a character that came in two deltas are one.
    return text.replace("\ud83e", "").replace("\udd89", "\U0001f989")


def _flat(tag: str, count: int) -> list[str]:
    return [f"{tag}{n} " for n in range(count)]


def _by_word(tag: str, count: int) -> list[str]:
    return [_piece(tag, n) for n in range(count)]


_PIECES: dict[str, Callable[[str, int], list[str]]] = {
    "odd": lambda tag, count: [_odd(tag, n) for n in range(count)],
    # One paragraph, which a page is sent anew as it grows.
    "flat": _flat,
    "one": lambda tag, count: [answer(tag, count)],
    "tiny": lambda tag, count: list(answer(tag, count)),
}


def _raw(kind: str, tag: str) -> bytes:
    """A stream that is not made of text, as its bytes."""

    function = {"name": "delete_everything", "arguments": "{}"}
    deltas: dict[str, list[dict[str, Any]]] = {
        "refusal": [{"refusal": f"{tag}0 "}, {"refusal": "no"}],
        "tools": [{"tool_calls": [{"index": 0, "id": "c", "function": function}]}],
        "reasoning": [{"reasoning_content": "hm"}],
    }

    if kind not in deltas:
        return b""

    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas[kind]]
    reason = "tool_calls" if kind == "tools" else "stop"
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    lines = [b": comment", b"event: news\ndata: {}"]
    lines += [b"data: " + json.dumps(chunk).encode() for chunk in chunks]

    return b"\n\n".join([*lines, b"data: [DONE]", b""])


class Model(ModelServer):
    """Answers by the question."""

    def take(self, call: Call) -> Behaviour:
        """Put a call into the ledger and say how to answer it."""

        behaviour = super().take(call)
        asked = _asked(call.messages)
        match = _QUESTION.match(asked)

        if match is None:
            return behaviour

        kind, tag, count = _kind(asked), match["tag"], int(match["words"])
        values = {f.name: getattr(behaviour, f.name) for f in fields(Behaviour)}
        values["rate"] = float(match["rate"])
        values["raw"] = _raw(kind, tag)
        values["body"] = LEAK if "leak=yes" in asked else behaviour.body
        pieces = tuple(_PIECES.get(kind, _by_word)(tag, count))

        return _Words(**{**values, "tokens": len(pieces)}, said=pieces)


def _asked(messages: list[dict[str, Any]]) -> str:
    return str(messages[-1]["content"]) if messages else ""


@dataclass(frozen=True)
class _Words(Behaviour):
    said: tuple[str, ...] = ()

    def pieces(self) -> list[str]:
        return list(self.said)


def main() -> None:
    """Serve until killed; the first line says where."""

    server = Model(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(server.base_url, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
