"""What is made once for all processes of a run, and used by one of them at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def common_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that all processes of this run have under this name."""

    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)

    return folder


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Until its end no other process does what it does in this folder."""

    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
