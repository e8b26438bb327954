"""Who watches answers in this process, and telling the other processes so.

Where an answer is stopped because nobody watches it (``CHATSTREAM_ABANDON_SECONDS``), whoever
watches must be known to all. Requests only leave a note here; it is stored on the generation's row
in the background, soon for those who have come and then seldom (``docs/states.md``, 3.6).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection, bindparam, select, update

from flask_chatstream.models import ACTIVE, Generation
from flask_chatstream.storage import now

from .follow import Follow

_STALE = select(Generation.id, Generation.conversation_id).where(
    Generation.status.in_(ACTIVE), Generation.watched_at < bindparam("before")
)
_FREE = (
    select(Generation.id)
    .where(
        Generation.id.in_(bindparam("ids", expanding=True)),
        Generation.status.in_(ACTIVE),
    )
    .order_by(Generation.id)
    .with_for_update(skip_locked=True)
)
_TOUCH = (
    update(Generation)
    .where(Generation.id.in_(bindparam("ids", expanding=True)))
    .values(watched_at=bindparam("moment"))
)


class Audience:
    """The conversations that somebody looks at in this process, or has looked at lately.

    ``seconds`` is how long an answer is written that nobody watches; with None nothing is noted.
    """

    def __init__(self, follow: Follow, seconds: float | None):
        self._follow = follow
        self._is_wanted = seconds is not None
        #: How old what is stored may become, in seconds.
        self.pause = (seconds or 0.0) / 3
        self._lock = threading.Lock()
        self._noted: set[str] = set()
        self._stored: dict[str, float] = {}

    def note(self, conversation_id: str) -> None:
        """Somebody whose conversation it is has looked at an answer that is being written."""

        if self._is_wanted:
            with self._lock:
                self._noted.add(conversation_id)

    def due(self) -> set[str]:
        """The conversations of which is to be stored that they are watched."""

        if not self._is_wanted:
            return set()

        with self._lock:
            watched = self._noted | {topic.conversation_id for topic in self._follow.topics()}
            oldest = time.monotonic() - self.pause
            self._stored = {id: at for id, at in self._stored.items() if at > oldest}

            return watched - self._stored.keys()

    def stored(self, conversations: Collection[str]) -> None:
        """It is stored of these."""

        with self._lock:
            self._noted.difference_update(conversations)
            self._stored.update(dict.fromkeys(conversations, time.monotonic()))


def touch(connection: Connection, conversations: Collection[str], pause: float) -> set[str]:
    """Store that these conversations are watched, where that was not done for ``pause`` seconds.

    Gives those of which a row is locked, by a group for instance: they are passed over, so that no
    cycle can form; ask again soon.
    """

    moment = now(connection)
    rows = connection.execute(_STALE, {"before": moment - timedelta(seconds=pause)})
    stale = {row.id: row.conversation_id for row in rows if row.conversation_id in conversations}

    if not stale:
        return set()

    free = connection.scalars(_FREE, {"ids": list(stale)}).all()
    connection.execute(_TOUCH, {"ids": list(free), "moment": moment})

    return {stale[id] for id in stale.keys() - set(free)}
