"""One answer's life: claimed, written through the journal, followed, ended, swept.

`Runtime` is the engine of one process on one database, `Runner` writes answers in it, a `Place`
says in which process. The states and transactions are in ``docs/states.md``.
"""

from .assignment import Assignment
from .claims import Claimed
from .clearing import clear_journal, count_clearable
from .display import Change, Display, Displays, Mark
from .ends import Ended
from .follow import Follow, Topic
from .joining import Joined, join, list_generations
from .leaving import drain, is_busy
from .live import End, Live
from .places import Here, Place, check_runner, find_mistake, find_queue
from .queue import add_task
from .removing import remove
from .runner import Runner
from .runtime import Runtime
from .seats import Seats
from .server import watch_server
from .sweep import AbandonRule, OrphanRule, Rule, find_candidates, sweep
from .watch import Watch

__all__ = [
    "AbandonRule",
    "Assignment",
    "Change",
    "Claimed",
    "Display",
    "Displays",
    "End",
    "Ended",
    "Follow",
    "Here",
    "Joined",
    "Live",
    "Mark",
    "OrphanRule",
    "Place",
    "Rule",
    "Runner",
    "Runtime",
    "Seats",
    "Topic",
    "Watch",
    "add_task",
    "check_runner",
    "clear_journal",
    "count_clearable",
    "drain",
    "find_candidates",
    "find_mistake",
    "find_queue",
    "is_busy",
    "join",
    "list_generations",
    "remove",
    "sweep",
    "watch_server",
]
