"""What a response of event streams gives its server: the frames as they are, and nothing between.

A response of Flask's wraps what it sends in two more iterators, which each frame of each viewer
would go through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Response

from flask_chatstream.following import Line

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Frames:
    """The frames of a stream, and what is done when it is over, however it ends.

    ``lend`` is for a server that lends its connection to those who commit text (`Line`).
    """

    def __init__(
        self,
        frames: Iterator[bytes],
        callbacks: Iterable[Callable[[], object]],
        lend: Callable[[Line], object] | None = None,
    ):
        self._frames = frames
        self._callbacks = tuple(callbacks)
        self.lend = lend

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        """Say that nobody takes any more."""

        close = getattr(self._frames, "close", None)

        try:
            if close is not None:
                close()
        finally:
            for callback in self._callbacks:
                callback()


class Body:
    """The frames of a response as its server gets them; ``close`` is the response's."""

    def __init__(self, frames: Frames, close: Callable[[], object]):
        self._frames = frames
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._frames)

    def lend(self, line: Line) -> None:
        """Have text sent on the server's connection by whoever commits it, if it is a stream's."""

        if self._frames.lend is not None:
            self._frames.lend(line)


class FramesResponse(Response):
    """A response whose `Frames` nobody touches; with others in their place it is as any other."""

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        frames: Any = self.response
        is_whole = self.status_code == 200 and environ["REQUEST_METHOD"] != "HEAD"

        if is_whole and isinstance(frames, Frames):
            return Body(frames, self.close)

        return super().get_app_iter(environ)
