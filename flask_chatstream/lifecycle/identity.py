"""Who this process is, so that another one can tell whether it still lives.

``boot id : PID namespace : pid : start time``. Containers share a boot id, so only a process in
the same namespace is judged at once; time judges all others.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
#: The start time of a process whose own cannot be read.
UNKNOWN = "0"


@cache
def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return f"unknown-{os.urandom(8).hex()}"

    return f"{boot}:{namespace.removeprefix('pid:[').removesuffix(']')}"


def _started(pid: int) -> str | None:
    """The kernel's start time of a process in clock ticks since boot: proc(5), field 22.

    None for one that has ended and only waits to be reaped. Raises `OSError`.
    """

    stat = (_PROC / str(pid) / "stat").read_text()
    fields = stat.rpartition(")")[2].split()

    return None if fields[0] in "ZX" else fields[19]


def identify() -> str:
    """This process's identity; another one after a fork."""

    return _identity(os.getpid())


@cache
def _identity(pid: int) -> str:
    try:
        started = _started(pid)
    except OSError:
        started = None

    return f"{_place()}:{pid}:{started or UNKNOWN}"


def is_known_dead(worker: str) -> bool:
    """Whether a worker is surely gone: of this boot and namespace, and no longer running.

    What cannot be found out is not known; time judges it.
    """

    place, _, rest = worker.rpartition(":")
    place, _, pid = place.rpartition(":")

    if place != _place() or not (pid.isascii() and pid.isdecimal()) or rest == UNKNOWN:
        return False

    try:
        return _started(int(pid)) != rest
    except (FileNotFoundError, ProcessLookupError):
        return not _exists(int(pid))
    except OSError:
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except OSError:
        return True

    return True
