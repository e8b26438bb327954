"""The model server of the fault tests: what it says follows from the question alone.

A question is ``tag words rate``: so many words that all carry the tag, in Markdown, so many a
second. Any prefix of an answer can be checked, and a word shows whose it is.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes.behaviour import Behaviour
from tests.fakes.model_server import Call, ModelServer

#: What every server knows and none may show.
KEY = "sk-canary-5f3a9b1c7d"
LEAK = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'
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


class Model(ModelServer):
    """Answers by the question."""

    def take(self, call: Call) -> Behaviour:
        """Put a call into the ledger and say how to answer it."""

        behaviour = super().take(call)
        match = _QUESTION.match(_asked(call.messages))

        if match is None:
            return behaviour

        pieces = tuple(_piece(match["tag"], n) for n in range(int(match["words"])))
        body = LEAK if "leak=yes" in _asked(call.messages) else ""
        words = _Words(tokens=len(pieces), rate=float(match["rate"]), stall=behaviour.stall)

        return replace(words, said=pieces, status=behaviour.status, body=body)


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
