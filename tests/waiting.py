"""Waiting for a condition; no test sleeps for a time that it hopes is long enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 20.0, interval: float = 0.01) -> T:
    """The condition's first true value.

    ``timeout`` and ``interval`` are in seconds. An exception of the condition goes through. Raises
    AssertionError with the condition's name and last value when the time is over.
    """

    deadline = time.monotonic() + timeout

    while not (value := condition()):
        if time.monotonic() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} was still {value!r} after {timeout:g} s")

        time.sleep(interval)

    return value


def later(act: Callable[[], T]) -> Future[T]:
    """What an act will give, in a thread of its own: one that hangs keeps no test from failing."""

    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()

    return future
