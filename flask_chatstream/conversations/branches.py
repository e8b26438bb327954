"""The tree of messages: the path to a leaf, read page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from flask_chatstream.errors import NotFound
from flask_chatstream.models import Conversation, Message

from .texts import Tail, join_text, read_tails
from .threads import get_conversation


@dataclass(frozen=True, slots=True)
class Reading:
    """A message as it is read: the row, its whole committed text, and its journal's part."""

    message: Message
    text: str
    tail: Tail | None


@dataclass(frozen=True, slots=True)
class Branch:
    """A conversation with messages of one of its branches, oldest first.

    The conversation's version was read before the messages: what changed in between is sent again
    to a viewer who goes on from it. ``has_older`` says that older messages were left out.
    """

    conversation: Conversation
    readings: Sequence[Reading]
    has_older: bool = False


def read_branch(
    session: Session,
    owner: str,
    mount: str,
    conversation_id: str,
    *,
    leaf: str | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> Branch:
    """An owner's conversation with the newest messages of a branch, as `read_path` picks them.

    Raises `NotFound`.
    """

    conversation = get_conversation(session, owner, mount, conversation_id)
    readings, has_older = read_path(session, conversation, leaf=leaf, before=before, limit=limit)

    return Branch(conversation, readings, has_older)


def read_leaf(session: Session, owner: str, mount: str, conversation_id: str) -> Branch:
    """An owner's conversation with the last message of the branch that is shown.

    Raises `NotFound`.
    """

    conversation = get_conversation(session, owner, mount, conversation_id)
    leaf = conversation.active_leaf

    return Branch(conversation, read_messages(session, [leaf] if leaf else []))


def path_to(leaf: str | None, parents: Mapping[str, str | None]) -> list[str]:
    """The ids from the root to a leaf; ``parents`` maps every message to its parent."""

    path = []

    while leaf is not None and leaf in parents:
        path.append(leaf)
        leaf = parents[leaf]

    path.reverse()

    return path


def read_path(
    session: Session,
    conversation: Conversation,
    *,
    leaf: str | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> tuple[list[Reading], bool]:
    """The messages of a branch, oldest first, and whether older ones were left out.

    ``leaf`` names the branch, by default the one that is shown; ``before`` ends the page in front
    of a message; ``limit`` is the most messages, the newest ones. Raises `NotFound` when a named
    message is not in the conversation.
    """

    parents = _parents(session, conversation)
    named = [id for id in (leaf, before) if id is not None]

    if any(id not in parents for id in named):
        raise NotFound

    path = path_to(leaf or conversation.active_leaf, parents)

    if before in path:
        path = path[: path.index(before)]

    wanted = path[-limit:] if limit else path

    return read_messages(session, wanted), len(wanted) < len(path)


def read_page(
    session: Session,
    conversation: Conversation,
    *,
    leaf: str | None = None,
    after: str | None = None,
    offset: int = 0,
    limit: int = 100,
) -> tuple[list[Reading], str | None]:
    """A page of a branch, oldest first, and the cursor of the next page (None at the end).

    ``after`` is the cursor of the page before. Raises `NotFound` for a message that is not in the
    conversation.
    """

    parents = _parents(session, conversation)

    if any(id is not None and id not in parents for id in (leaf, after)):
        raise NotFound

    path = path_to(leaf or conversation.active_leaf, parents)
    begin = path.index(after) + 1 if after in path else 0
    page = path[begin + offset :][:limit]
    is_last = not page or page[-1] == path[-1]

    return read_messages(session, page), None if is_last else page[-1]


def read_changed(
    session: Session, conversation: Conversation, version: int, message_id: str | None
) -> list[Reading]:
    """The messages that changed after a version, the running ones, and a named one."""

    changed = or_(
        Message.version > version, Message.status == "generating", Message.id == message_id
    )
    ids = session.scalars(
        select(Message.id)
        .where(Message.conversation_id == conversation.id, changed)
        .order_by(Message.depth, Message.id)
    )

    return read_messages(session, list(ids))


def read_below(session: Session, conversation_id: str, depth: int) -> list[str]:
    """The ids of all messages of a conversation at a depth of its tree and below, on any branch."""

    below = select(Message.id).where(
        Message.conversation_id == conversation_id, Message.depth >= depth
    )

    return list(session.scalars(below))


def _parents(session: Session, conversation: Conversation) -> dict[str, str | None]:
    rows = session.execute(
        select(Message.id, Message.parent_id).where(Message.conversation_id == conversation.id)
    )

    return {row.id: row.parent_id for row in rows}


# A row that a session has read before the journal would be given back as it was then.
_MESSAGES = (
    select(Message)
    .where(Message.id.in_(bindparam("ids", expanding=True)))
    .execution_options(populate_existing=True)
)


def read_messages(session: Session, ids: Sequence[str]) -> list[Reading]:
    """Messages with their text, in the order of the ids; missing ones are left out."""

    if not ids:
        return []

    tails = read_tails(session, ids)
    found = {message.id: message for message in session.scalars(_MESSAGES, {"ids": list(ids)})}

    return [_reading(found[id], tails.get(id)) for id in ids if id in found]


def _reading(message: Message, tail: Tail | None) -> Reading:
    pieces: Iterable[tuple[int, str]] = tail.pieces if tail else ()

    return Reading(message, join_text(message.content, pieces), tail)
