"""Peers that answer with given bytes, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """A port where every connection gets these bytes after its request, and is then closed."""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_all, args=(listener, data), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def unreachable() -> Iterator[int]:
    """A port where connecting neither succeeds nor fails: its queue is full."""

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(8):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(address)

        yield address[1]


def refusing() -> int:
    """A port where nobody listens."""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answer_all(listener: socket.socket, data: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return

        with connection:
            connection.settimeout(5)
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    break
                request += piece

            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                # What is still unread would turn the close into a reset, which drops the answer.
                while connection.recv(65536):
                    pass
            except OSError:
                continue
