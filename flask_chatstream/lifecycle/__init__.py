"""The states of one generation, and every transaction that moves them (``docs/states.md``).

Functions of a connection and values: claimed, written to in groups, ended and folded, swept,
cleared. Nothing here waits, wakes anybody, or knows who watches.
"""

from .assignment import Assignment, find_assignment
from .claims import Claimed, claim, renew, watched
from .clearing import clear_journal, count_clearable
from .ends import Ended, Outcome, end, end_message, public_status
from .groups import Row, Written, write_group
from .identity import identify
from .sweep import (
    INTERRUPTED,
    AbandonRule,
    OrphanRule,
    Rule,
    find_active,
    find_candidates,
    settle,
    still_queued,
    sweep,
    unclaimed,
)

__all__ = [
    "INTERRUPTED",
    "AbandonRule",
    "Assignment",
    "Claimed",
    "Ended",
    "OrphanRule",
    "Outcome",
    "Row",
    "Rule",
    "Written",
    "claim",
    "clear_journal",
    "count_clearable",
    "end",
    "end_message",
    "find_active",
    "find_assignment",
    "find_candidates",
    "identify",
    "public_status",
    "renew",
    "settle",
    "still_queued",
    "sweep",
    "unclaimed",
    "watched",
    "write_group",
]
