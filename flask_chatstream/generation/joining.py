"""Joining an answer that is being written: its `Live` first, the database second.

What is committed between the two is in the live, and what was read is told to it, so the text of
a `Joined` goes on without a hole wherever the answer is written (``docs/states.md``, 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from flask_chatstream.conversations import Branch, Reading
from flask_chatstream.following import Live
from flask_chatstream.lifecycle import find_active
from flask_chatstream.models import Generation

from .runtime import Runtime

#: How often a conversation is read in which other answers begin meanwhile.
ATTEMPTS = 3

_WRITERS = (
    select(Generation.id)
    .where(Generation.message_id == bindparam("message"))
    .order_by(Generation.id)
)


class Joined(NamedTuple):
    """Messages as they were read, and the live of the last one while it is being written."""

    branch: Branch
    live: Live | None

    @property
    def last(self) -> Reading | None:
        """The last message."""

        return self.branch.readings[-1] if self.branch.readings else None

    @property
    def prefix(self) -> str:
        """The last message's text in front of its live."""

        if self.live is None or self.last is None:
            return ""

        return self.last.text[: self.live.base_offset]


def join(runtime: Runtime, conversation_id: str, read: Callable[[Session], Branch]) -> Joined:
    """What ``read`` finds of a conversation, joined with what is being written in it.

    ``read`` is called again when an answer was found orphaned and has been settled, or has begun
    after the lives were taken. Raises what it raises.
    """

    runtime.upkeep.start()

    for _ in range(ATTEMPTS):
        with runtime.database.read() as session:
            active = find_active(session, conversation_id)
            lives = {row.id: _take_live(runtime, row) for row in active}
            # What is read from here on was committed after the lives were taken.
            session.rollback()
            joined = _meet(read(session), lives)

        if not runtime.settle_orphans(active) and not _is_early(joined):
            break

    if joined.live is not None:
        runtime.audience.note(conversation_id)

    return joined


def _take_live(runtime: Runtime, row: Row[Any]) -> Live:
    return runtime.follow.join(row.id, row.message_id, row.conversation_id, row.base_offset)


def _meet(branch: Branch, lives: Mapping[int, Live]) -> Joined:
    last = branch.readings[-1] if branch.readings else None

    if last is None or last.tail is None or last.message.status != "generating":
        return Joined(branch, None)

    live = lives.get(last.tail.generation_id)

    if live is not None:
        live.publish(live.base_offset, last.text[live.base_offset :])

    return Joined(branch, live)


def _is_early(joined: Joined) -> bool:
    """Whether the last message is being written by a generation that began after the join."""

    is_running = joined.last is not None and joined.last.message.status == "generating"

    return is_running and joined.live is None


def list_generations(session: Session, message_id: str) -> list[int]:
    """The ids of the generations that have written a message, the newest last."""

    return list(session.scalars(_WRITERS, {"message": message_id}))
