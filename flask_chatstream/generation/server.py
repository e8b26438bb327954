"""What the server of this process has told of itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """What a server has told; ``grace`` is how long it waits for a leaving process, in seconds."""

    pid: int = 0
    grace: float | None = None
    is_leaving: Callable[[], bool] = lambda: False


NOTHING = Server()
_server = NOTHING


def watch_server(is_leaving: Callable[[], bool], grace: float | None = None) -> None:
    """Ask the server whether this process is leaving, and give answers ``grace`` seconds then."""

    global _server
    _server = Server(os.getpid(), grace, is_leaving)


def get_server() -> Server:
    """What the server has told of this process; a forked child has been told nothing."""

    return _server if _server.pid == os.getpid() else NOTHING
