"""Saved conversations: storing what is asked, and reading the tree of messages back.

Functions that write take a connection inside a transaction (`Database.write` gives it); functions
that read take a session. `get_conversation`, `get_message` and the list find by owner; what reads
by id alone is for ids that they gave.
"""

from .asking import Asked, ask
from .branches import (
    Branch,
    Reading,
    path_to,
    read_below,
    read_branch,
    read_changed,
    read_leaf,
    read_messages,
    read_page,
    read_path,
)
from .continuing import find_obstacle
from .deleting import delete_conversation
from .expiring import count_expired, expire
from .owners import (
    Deleted,
    Place,
    delete_counted,
    delete_remains,
    is_anothers,
    list_places,
    move_owner,
)
from .placeholders import RoundMark, find_placeholders, remove_placeholders
from .questions import check_key, check_name, check_question
from .revocations import read_revocations, store_revocation
from .texts import Html, join_text, read_tails, read_text, store_html
from .threads import (
    Page,
    create_conversation,
    find_newest,
    find_running,
    get_conversation,
    get_message,
    list_conversations,
    rename,
)
from .visitors import ANONYMOUS, is_claimed
from .wanted import Ask, Placement, Turn

__all__ = [
    "ANONYMOUS",
    "Ask",
    "Asked",
    "Branch",
    "Deleted",
    "Html",
    "Page",
    "Place",
    "Placement",
    "Reading",
    "RoundMark",
    "Turn",
    "ask",
    "check_key",
    "check_name",
    "check_question",
    "count_expired",
    "create_conversation",
    "delete_conversation",
    "delete_counted",
    "delete_remains",
    "expire",
    "find_newest",
    "find_obstacle",
    "find_placeholders",
    "find_running",
    "get_conversation",
    "get_message",
    "is_anothers",
    "is_claimed",
    "join_text",
    "list_conversations",
    "list_places",
    "move_owner",
    "path_to",
    "read_below",
    "read_branch",
    "read_changed",
    "read_leaf",
    "read_messages",
    "read_page",
    "read_path",
    "read_revocations",
    "read_tails",
    "read_text",
    "remove_placeholders",
    "rename",
    "store_html",
    "store_revocation",
]
