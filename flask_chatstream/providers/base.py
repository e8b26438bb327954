"""What a provider is: one `stream` method over values, and the `Cancellation` it is given."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol

from flask_chatstream.events import Event
from flask_chatstream.failures import report

logger = logging.getLogger(__name__)

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of the conversation as the model reads it."""

    role: Role
    content: str


#: What asks for the rest of an answer that broke off.
GO_ON = (
    "Your answer above was cut off. Go on exactly where it stopped: begin with the very next "
    "character, be it a letter, a space or a line break. Repeat nothing, do not begin anew, and "
    "say nothing about the interruption."
)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked of a provider; ``instructions`` is the system prompt.

    ``prefix`` is not empty when an answer that broke off is continued: what it has already, behind
    which the provider's text goes. ``messages`` end with `turns_for_rest` then, which every chat
    model understands; a provider that has its own way to continue a turn sends ``history`` and the
    prefix in that way instead.
    """

    messages: tuple[ChatMessage, ...]
    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    instructions: str | None = None
    request_id: str = ""
    prefix: str = ""

    @property
    def history(self) -> tuple[ChatMessage, ...]:
        """The messages up to the question."""

        return self.messages[:-2] if self.prefix else self.messages


def turns_for_rest(prefix: str) -> tuple[ChatMessage, ...]:
    """The turns behind the question that ask for the rest of its answer; none without a prefix.

    The last one is the user's: newer models refuse a conversation that ends with the assistant's.
    """

    if not prefix:
        return ()

    return ChatMessage("assistant", prefix), ChatMessage("user", GO_ON)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a provider may take, in seconds.

    ``first_token`` counts from the call, retries included; ``idle`` is silence after that;
    ``total`` is the whole answer.
    """

    connect: float = 10.0
    first_token: float = 120.0
    idle: float = 60.0
    total: float = 900.0


class Cancelled(Exception):
    """The person stopped the answer."""


class Provider(Protocol):
    """A source of answers; any class of this shape is one::

        class Parrot:
            name = "parrot"

            def stream(self, request, cancellation):
                yield TextDelta(request.messages[-1].content)
                yield Finished("stop")

    One object serves all threads and greenlets of a process at once.
    """

    name: str

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        """The events of one answer, which ends with exactly one `Finished`.

        Raises `ProviderError` when the provider fails and `Cancelled` after ``cancel()``.
        """


class Registration:
    """A closer's place in a `Cancellation`; call it, or leave its ``with``, to take it out.

    When that returns, the closer is not running and will not run: what it closes may be let go.
    """

    __slots__ = ("_closer", "_lock")

    def __init__(self, closer: Callable[[], object]):
        self._closer: Callable[[], object] | None = closer
        # Reentrant, because a closer may take itself out.
        self._lock = threading.RLock()

    def __call__(self) -> None:
        with self._lock:
            self._closer = None

    def __enter__(self) -> Registration:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self()

    @property
    def spent(self) -> bool:
        """Whether the closer has run or was taken out."""

        return self._closer is None

    def run(self) -> None:
        """Run the closer unless it has run or was taken out; its failure is only logged."""

        with self._lock:
            closer, self._closer = self._closer, None
            if closer is None:
                return

            try:
                closer()
            except Exception as error:
                report(logger, error, "a closer failed while an answer was stopped")


class Cancellation:
    """Stops an answer from another thread or greenlet.

    The provider looks at ``cancelled`` where it can, sleeps with ``wait``, and registers with
    ``on_cancel`` what breaks a call that it is blocked in::

        with cancellation.on_cancel(lambda: sock.shutdown(socket.SHUT_RDWR)):
            data = sock.recv(65536)

    Closers must not block.
    """

    __slots__ = ("_event", "_lock", "_registrations")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._registrations: list[Registration] = []

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""

        return self._event.is_set()

    def cancel(self) -> None:
        """Stop the answer: set the flag, then run every closer once. More calls do nothing."""

        with self._lock:
            if self._event.is_set():
                return

            self._event.set()
            registrations, self._registrations = self._registrations, []

        for registration in registrations:
            registration.run()

    def on_cancel(self, closer: Callable[[], object]) -> Registration:
        """Have a closer run at ``cancel``, or at once when that was already."""

        registration = Registration(closer)

        with self._lock:
            if not self._event.is_set():
                self._registrations = [r for r in self._registrations if not r.spent]
                self._registrations.append(registration)
                return registration

        registration.run()

        return registration

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` after ``cancel``."""

        if self._event.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> bool:
        """Sleep until the time is over or the answer is stopped; True when it is stopped."""

        return self._event.wait(seconds)
