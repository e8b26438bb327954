"""Many viewers at once, on plain sockets in one thread, who may vanish in three ways."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from .viewers import API, Viewer

END = b'"type":"end"'
#: What a viewer must keep to find the end in pieces.
TAIL = 512


class Seat:
    """One viewer's connection, and the last of what came over it."""

    def __init__(self, port: int, request: bytes, buffer: int = 0):
        self.socket = socket.socket()
        self.tail = b""
        self.has_begun = False

        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)

        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(request)
        self.socket.setblocking(False)

    @property
    def has_ended(self) -> bool:
        """Whether it was told the end."""

        return END in self.tail

    def read(self) -> bool:
        """Take what has come; False when the server has closed."""

        try:
            piece = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False

        self.has_begun = self.has_begun or bool(piece)
        self.tail = (self.tail + piece)[-TAIL:]

        return bool(piece)

    def leave(self, *, politely: bool) -> None:
        """Close: with a FIN, or with an RST as a crash does."""

        if not politely:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        self.socket.close()


class Crowd:
    """Viewers of one conversation's event stream, who come back after a break."""

    def __init__(
        self, viewer: Viewer, ports: list[int], count: int, buffer: int = 0, path: str = ""
    ):
        self._ports = ports
        path = path or f"{API}/conversations/{viewer.conversation_id}/stream"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Owner: {viewer.owner}\r\n"
        head += "Accept: text/event-stream\r\nConnection: close\r\n\r\n"
        self._request = head.encode()
        self._buffer = buffer
        self.seats: list[Seat] = []
        self.ended = 0
        self._left = count
        self._selector = selectors.DefaultSelector()

    def fill(self) -> None:
        """Bring in whoever is outside, as far as there is a server."""

        with suppress(OSError):
            while self._left:
                port = self._ports[self._left % len(self._ports)]
                seat = Seat(port, self._request, self._buffer)
                self._left -= 1
                self.seats.append(seat)
                self._selector.register(seat.socket, selectors.EVENT_READ, seat)

    def read(self) -> None:
        """Take what has come for everybody; who was cut off is outside again."""

        for key, _ in self._selector.select(0.05):
            seat: Seat = key.data

            if not seat.read():
                self._remove(seat)
                self.ended += seat.has_ended
                self._left += not seat.has_ended
                seat.socket.close()

    def wait(self, condition: Callable[[], bool], timeout: float) -> float:
        """Read, and come back, until something holds; how long it took, in seconds."""

        began = time.monotonic()

        while not condition():
            assert time.monotonic() < began + timeout, (self.ended, len(self.seats), self._left)
            self.fill()
            self.read()

        return time.monotonic() - began

    def leave(self, seats: list[Seat], *, politely: bool) -> None:
        """Some go, and do not come back."""

        for seat in seats:
            self._remove(seat)
            seat.leave(politely=politely)

    def close(self) -> None:
        """Everybody goes."""

        self.leave(list(self.seats), politely=True)
        self._selector.close()

    def _remove(self, seat: Seat) -> None:
        self._selector.unregister(seat.socket)
        self.seats.remove(seat)
