"""An offline model that makes the whole site work without a key, and says what it is."""

from __future__ import annotations

import math
import random
import re
import zlib
from collections.abc import Iterator

from flask_chatstream.events import Event, Finished, TextDelta, Usage

from .base import Cancellation, ChatRequest
from .demo_answers import write_answer

#: A word or its beginning, with the space before it: about what a model calls a token.
_TOKEN = re.compile(r"\s*\S{1,7}|\s+$")
_TOKENS_PER_SECOND = 45.0


class Demo:
    """Writes a prepared Markdown answer that fits the question's words, at a reading pace.

    ``speed`` multiplies the pace; ``math.inf`` writes without a pause. The same question always
    gets the same answer in the same rhythm.
    """

    name = "demo"

    def __init__(self, speed: float = 1.0):
        if not speed > 0:
            raise ValueError("speed must be greater than 0")

        self._pace = 0.0 if math.isinf(speed) else 1 / (_TOKENS_PER_SECOND * speed)

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        """The answer's events; raises `Cancelled`."""

        question = _last_question(request)
        rhythm = random.Random(zlib.crc32(question.encode("utf-8", "replace")))
        tokens = _TOKEN.findall(_remainder(write_answer(question), request.prefix))

        # A model thinks before it speaks; the page shows its typing sign meanwhile.
        self._rest(rhythm.uniform(10, 20), cancellation)

        for token in tokens:
            yield TextDelta(token)
            self._rest(_beat(token, rhythm), cancellation)

        yield Usage(_count_prompt(request), len(tokens))
        yield Finished("stop", "demo")

    def _rest(self, beats: float, cancellation: Cancellation) -> None:
        if self._pace:
            cancellation.wait(beats * self._pace)

        cancellation.raise_if_cancelled()


def _last_question(request: ChatRequest) -> str:
    asked = (m.content for m in reversed(request.history) if m.role == "user")

    return next(asked, "")


def _remainder(answer: str, prefix: str) -> str:
    """The answer behind its beginning; all of it, in a paragraph of its own, behind another's."""

    return answer.removeprefix(prefix) if answer.startswith(prefix) else f"\n\n{answer}"


def _beat(token: str, rhythm: random.Random) -> float:
    beat = rhythm.uniform(0.5, 1.4)

    return beat + 3 if token[-1] in ".:?!" else beat


def _count_prompt(request: ChatRequest) -> int:
    contents = [request.instructions or "", *(m.content for m in request.messages)]

    return sum(len(_TOKEN.findall(content)) for content in contents)
