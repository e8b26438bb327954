"""Sends to clients that take nothing: they fail after a while, and the stream is over.

A client that has gone to sleep leaves its connection open. Once the kernel's buffer is full the
server's send waits for as long as the connection lives, and no heartbeat comes to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

SEND_SECONDS = 30.0
#: Where in its ``environ`` our own handler for gevent's server shows the client's socket.
SOCKET = "flask_chatstream.socket"
_NAMES = (SOCKET, "gunicorn.socket", "gunicorn.sock", "werkzeug.socket")


def limit_sending(environ: Mapping[str, Any]) -> Callable[[], None]:
    """Have a send of this response fail after `SEND_SECONDS`; what undoes it.

    A server that does not show its socket keeps its own limits.
    """

    socket = _socket(environ)

    if socket is None:
        return lambda: None

    before = socket.gettimeout()
    socket.settimeout(SEND_SECONDS)

    def undo() -> None:
        # It may be closed by now.
        with suppress(OSError):
            socket.settimeout(before)

    return undo


def _socket(environ: Mapping[str, Any]) -> Any:
    """The client's socket, as gunicorn, Werkzeug's server or our handler for gevent's show it."""

    return next((environ[name] for name in _NAMES if name in environ), None)
