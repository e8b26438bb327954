"""gevent's WSGI server, lending its connections: text goes to all viewers' sockets from one place.

    from gevent.pywsgi import WSGIServer
    from flask_chatstream.pywsgi import WSGIHandler

    WSGIServer(("", 8000), app, handler_class=WSGIHandler).serve_forever()

For gunicorn there is `flask_chatstream.ggevent`. Nothing else changes: the bytes are the same, and
where something stands between the chat and the server (TLS of the server's own, HTTP/1.0, a
middleware that changes what is sent) they go through WSGI as ever.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from gevent import pywsgi
from gevent import socket as gevent_socket

from flask_chatstream.views.body import Body
from flask_chatstream.views.sending import SOCKET

__all__ = ["WSGIHandler"]

#: How much of a request is read ahead, in bytes; gevent's 8 kB stay with every viewer.
READ_AHEAD = 2048


class WSGIHandler(pywsgi.WSGIHandler):
    """For `gevent.pywsgi.WSGIServer`'s ``handler_class``; gevent's own in everything else."""

    def __init__(self, sock: Any, address: Any, server: Any):
        super().__init__(sock, address, server)
        self.rfile.close()
        self.rfile = sock.makefile("rb", READ_AHEAD)

    def get_environ(self) -> dict[str, Any]:
        """As gevent's, with the client's socket, so that one that takes nothing can be let go."""

        environ: dict[str, Any] = super().get_environ()
        environ[SOCKET] = self.socket

        return environ

    def process_result(self) -> None:
        """As gevent's, having lent the connection to an event stream that is sent as it is."""

        if isinstance(self.result, Body) and type(self.socket) is gevent_socket.socket:
            self.result.lend(Connection(self))

        super().process_result()


class Connection:
    """The connection of a response in chunked framing, in the pauses of its own sending."""

    __slots__ = ("_handler", "_rest", "_send", "_sent")

    def __init__(self, handler: Any):
        self._handler = handler
        self._rest = b""
        self._sent = 0
        # The native socket's, which never waits: gevent's own would, for this one client.
        self._send = handler.socket._sock.send

        # Else a frame may wait in the kernel until the one before it is acknowledged.
        with suppress(OSError):
            handler.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_open(self) -> bool:
        """Whether the head is out, and said that the framing is chunked."""

        return bool(self._handler.headers_sent and self._handler.response_use_chunked)

    def frame(self, data: bytes) -> bytes:
        """One chunk (RFC 9112, section 7.1)."""

        return b"%x\r\n%b\r\n" % (len(data), data)

    def send(self, frame: bytes) -> bool:
        """Send what can be sent without waiting; false when that was not all."""

        try:
            sent = self._send(frame)
        except OSError:
            # Full, or broken: the handler's own sending, which may wait, tells which.
            sent = 0

        self._sent += sent

        if sent == len(frame):
            return True

        self._rest = frame[sent:]

        return False

    def flush(self) -> None:
        """Send the rest, as the handler sends, and have it count what was sent meanwhile."""

        self._handler.response_length += self._sent
        rest, self._rest, self._sent = self._rest, b"", 0

        if rest:
            self._handler._sendall(rest)
