"""The model server of these tests: a question may be given its answer beforehand."""

from __future__ import annotations

import threading
from typing import Any

from tests.fakes.behaviour import Behaviour
from tests.fakes.model_server import Call, ModelServer
from tests.waiting import wait_for


class Model(ModelServer):
    """Answers a known question as told, any other by the directives in it."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._told: dict[str, Behaviour] = {}

    def tell(self, question: str, **how: Any) -> threading.Event:
        """How to answer a question; setting what is returned ends the answer's stall."""

        go_on = threading.Event()
        self._told[question] = Behaviour(until=go_on, **how)

        return go_on

    def take(self, call: Call) -> Behaviour:
        """Put a call into the ledger and say how to answer it."""

        return self._told.get(_asked(call), super().take(call))

    def calls_for(self, question: str) -> list[Call]:
        """The calls that a question has cost."""

        return [call for call in self.calls if _asked(call) == question]

    def wait_sent(self, question: str, tokens: int, timeout: float = 10.0) -> None:
        """Wait until so much of the answer to a question has been sent."""

        wait_for(lambda: any(c.tokens_sent >= tokens for c in self.calls_for(question)), timeout)


def _asked(call: Call) -> str:
    return str(call.messages[-1]["content"])
