"""A TCP proxy in front of the site: it can lose the network, and hold event streams back."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Proxy:
    """Passes everything on, until it is told not to."""

    def __init__(self, port: int):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_down = False
        #: Whether event streams are held until they are whole, as some proxies do.
        self.buffers_streams = False
        #: How many event streams were asked for.
        self.streams = 0

    @property
    def url(self) -> str:
        """The site's address by way of the proxy."""

        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Reset every connection, and every new one, until `mend`."""

        with self._lock:
            self._is_down = True

            for connection in self._open:
                _hang_up(connection)

    def mend(self) -> None:
        """Pass on again."""

        self._is_down = False

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()

        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()
        _hang_up(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return

            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(self._target) as far:
            with self._lock:
                if self._is_down:
                    return

                self._open |= {near, far}

            try:
                self._pass(near, far)
            finally:
                with self._lock:
                    self._open -= {near, far}

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        streams = threading.Event()
        back = threading.Thread(target=self._answer, args=(far, near, streams), daemon=True)
        back.start()

        with suppress(OSError):
            while data := near.recv(65536):
                if b"text/event-stream" in data:
                    self.streams += 1
                    streams.set()
                else:
                    streams.clear()

                far.sendall(data)

        _hang_up(far)
        back.join()

    def _answer(self, far: socket.socket, near: socket.socket, streams: threading.Event) -> None:
        held = b""

        with suppress(OSError):
            while data := far.recv(65536):
                held += data

                if (
                    self.buffers_streams
                    and streams.is_set()
                    and not held.endswith(b"\r\n0\r\n\r\n")
                ):
                    continue

                near.sendall(held)
                held = b""

        _hang_up(near)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
