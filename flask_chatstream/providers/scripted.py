"""A provider for tests that says what it is told, step by step."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from flask_chatstream.events import Event, Finished, TextDelta

from .base import Cancellation, ChatRequest


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause of some seconds; a plain number means the same."""

    seconds: float


class Pause:
    """A gate in an answer: it goes no further until ``release``.

    The test waits with ``wait_reached`` until the answer stands before it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reached = threading.Event()
        self._released = False
        self._waiting: list[threading.Event] = []

    def release(self) -> None:
        """Let every answer through, now and later."""

        with self._lock:
            self._released = True
            for waiting in self._waiting:
                waiting.set()

    def wait_reached(self, timeout: float = 10.0) -> None:
        """Wait until an answer stands before the gate; raises `TimeoutError` if none comes."""

        if not self._reached.wait(timeout):
            raise TimeoutError(f"no answer reached the pause within {timeout:g} s")

    def hold(self, cancellation: Cancellation) -> None:
        """Stand before the gate; raises `Cancelled` when the answer is stopped meanwhile."""

        woken = threading.Event()

        with self._lock:
            if self._released:
                woken.set()
            self._waiting.append(woken)

        with cancellation.on_cancel(woken.set):
            self._reached.set()
            woken.wait()

        cancellation.raise_if_cancelled()


Item = str | int | float | Wait | Pause | Event | Exception


class ScriptedProvider:
    """Gives the enqueued answers in their order, and ``default`` when there is none left.

    An item is text, an `Event`, a number of seconds or `Wait`, a `Pause`, or an exception to raise.
    `Finished` is added at the end when it is missing. ``requests`` holds what was asked::

        provider = ScriptedProvider()
        gate = Pause()
        provider.enqueue("Hello, ", gate, "world.")
        provider.enqueue("Half an ans", ProviderError("overloaded"))
    """

    name = "scripted"

    def __init__(self, default: str = "A scripted answer.") -> None:
        self.default = default
        self._lock = threading.Lock()
        self._answers: deque[tuple[Item, ...]] = deque()
        self._requests: list[ChatRequest] = []

    def enqueue(self, *items: Item) -> None:
        """Add one answer."""

        for item in items:
            if not isinstance(item, Item):
                raise TypeError(f"{item!r} cannot stand in an answer")

        with self._lock:
            self._answers.append(items)

    @property
    def requests(self) -> list[ChatRequest]:
        """The requests so far, in order."""

        with self._lock:
            return list(self._requests)

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        """The next answer's events; raises what stands in it, and `Cancelled`."""

        with self._lock:
            self._requests.append(request)
            items = self._answers.popleft() if self._answers else (self.default,)

        finished = False
        for item in items:
            cancellation.raise_if_cancelled()

            for event in _play(item, cancellation):
                finished = finished or isinstance(event, Finished)
                yield event

        cancellation.raise_if_cancelled()
        if not finished:
            yield Finished("stop", request.model)


def _play(item: Item, cancellation: Cancellation) -> Iterator[Event]:
    if isinstance(item, Exception):
        raise item

    if isinstance(item, str):
        if item:
            yield TextDelta(item)
    elif isinstance(item, Pause):
        item.hold(cancellation)
    elif isinstance(item, (int, float, Wait)):
        cancellation.wait(item.seconds if isinstance(item, Wait) else item)
        cancellation.raise_if_cancelled()
    else:
        yield item
