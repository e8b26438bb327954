"""One process at a time: several workers start together on one instance folder."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# flock waits in C: two greenlets of one process would block each other's loop for ever.
_in_process = threading.Lock()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process is in here for this folder."""

    with _in_process, (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
