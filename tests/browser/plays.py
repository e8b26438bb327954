"""What the stub sends on one stream: parts of text, waits and ends, in the order of the script."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from flask import Response

from .stub import Play, event, event_stream

PADDING = ": " + " " * 2048 + "\n\n"
END = "event: end\ndata: \n\n"


class Gate:
    """Holds a stream until the test opens it; notes when the browser has left."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.left = threading.Event()

    def open(self) -> None:
        self._event.set()

    def hold(self) -> None:
        self._event.wait(30)

    def wait(self) -> Iterator[str]:
        # A comment now and then, since a write is how a server sees that nobody is there.
        while not self._event.wait(0.05):
            yield ": still here\n\n"


def stream(*parts: str | Gate) -> Play:
    """A stream of these parts, with the padding first."""

    def produce() -> Iterator[str]:
        gates = [part for part in parts if isinstance(part, Gate)]
        try:
            yield PADDING
            for part in parts:
                if isinstance(part, Gate):
                    yield from part.wait()
                else:
                    yield part
        finally:
            for gate in gates:
                gate.left.set()

    return lambda: event_stream(produce())


def refusal(status: int, retry_after: int | str | None = None) -> Play:
    """A plain HTTP error."""

    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    return lambda: Response("no", status=status, headers=headers)


def no_stream(html: str, cursor: str) -> Play:
    """All streams are taken: the answer of a poll, at once."""

    head = {"X-Cursor": cursor, "X-Next": "500", "Content-Type": "text/html"}

    return lambda: Response(html, status=200 if html else 204, headers=head)


def silence(gate: Gate, first: str = "") -> Play:
    """A proxy that holds everything back: headers, ``first`` and nothing else."""

    def produce() -> Iterator[str]:
        yield first
        gate.hold()
        yield END

    return lambda: event_stream(produce())


def block(message_id: str, number: int, html: str, *, final: bool = False) -> str:
    """A block as a fragment."""

    css = "cs-block cs-final" if final else "cs-block"

    return (
        f'<div id="cs-m{message_id}-b{number}" class="{css}" '
        f'data-into="cs-m{message_id}-body" dir="auto">{html}</div>'
    )


def status(message_id: str, value: str) -> str:
    """A change of a message's attributes alone."""

    return (
        f'<article id="cs-m{message_id}" class="cs-message" data-message-id="{message_id}" '
        f'data-role="assistant" data-status="{value}" tabindex="-1" data-attrs></article>'
    )


__all__ = [
    "END",
    "PADDING",
    "Gate",
    "block",
    "event",
    "no_stream",
    "refusal",
    "silence",
    "status",
    "stream",
]
