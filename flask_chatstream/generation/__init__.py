"""Answers being written: taken up, read from a provider, committed, ended; and joined by viewers.

`Runtime` is the engine of one process on one database, `Runner` writes answers in it, a `Place`
says in which process. The states and transactions are in ``docs/states.md``.
"""

from .joining import Joined, join, list_generations
from .leaving import drain, is_busy
from .places import Here, Place, check_runner, find_mistake, find_queue
from .queue import add_task
from .removing import remove
from .runner import Runner
from .runtime import Runtime
from .server import watch_server
from .watch import Watch

__all__ = [
    "Here",
    "Joined",
    "Place",
    "Runner",
    "Runtime",
    "Watch",
    "add_task",
    "check_runner",
    "drain",
    "find_mistake",
    "find_queue",
    "is_busy",
    "join",
    "list_generations",
    "remove",
    "watch_server",
]
