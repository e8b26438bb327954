"""The one reader of a process for answers that other processes write.

It asks 20 times a second while text comes and slows down while none does: to four times a second
while an answer is being written, else to twice. Where hints of other processes arrive, it looks
when one comes, and slowly besides. It ends when nobody here watches anything, and is started again
by the next who does.
"""

from __future__ import annotations

import logging
import threading
import time
from weakref import WeakSet

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from flask_chatstream.concurrency import Tasks
from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.failures import report
from flask_chatstream.lifecycle import public_status
from flask_chatstream.models import ACTIVE, Conversation, Generation, Message, is_appended
from flask_chatstream.storage import Database, int_array
from flask_chatstream.wake import Wake

from .follow import Follow
from .live import End, Live
from .revoking import Revocations

logger = logging.getLogger(__name__)

#: Above every version: the conversation is deleted.
GONE = 1 << 62
#: Pauses in seconds: while text comes, while an answer is silent, while none is written.
FASTEST, SILENT, SLOWEST = 0.05, 0.25, 0.5
#: Between a read and one that a hint asks for: that many times as long as it took, and at most so
#: many seconds, so that many hints share one read, and one alone waits for none.
REST, MOST_REST = 2.0, 0.01
#: Hints of text have the journal alone read, unless that part of a pause has gone by.
PART = 0.5
#: How long a close waits for a read that is at work.
CLOSE_SECONDS = 5.0

_VERSIONS = select(Conversation.id, Conversation.version).where(
    Conversation.id.in_(bindparam("ids", expanding=True))
)
_STATES = select(
    Generation.id, Generation.status, Generation.error_code, Generation.char_count
).where(Generation.id.in_(bindparam("ids", expanding=True)))
# A subquery with an order is not taken apart: whatever statistics say, each generation's rows are
# looked up by their key.
_BEHIND = """
SELECT w.id, k.start, k.text FROM unnest(%s::bigint[], %s::int[]) AS w (id, start)
 CROSS JOIN LATERAL (
    SELECT c.start, c.text FROM chatstream_chunk c
     WHERE c.generation_id = w.id AND c.start >= w.start ORDER BY c.start
) AS k ORDER BY w.id, k.start
"""
_FIRST_CHUNK = select(func.min(Generation.first_chunk)).where(
    Generation.id.in_(bindparam("ids", expanding=True))
)


class Poller:
    """Feeds remote lives and topics from the database, at most one query of a kind per tick."""

    def __init__(self, database: Database, follow: Follow, revocations: Revocations, wake: Wake):
        self._database = database
        self._follow = follow
        self._revocations = revocations
        self._wake = wake
        self._kick = threading.Event()
        self._lock = threading.Lock()
        self._running = False
        self._loops = Tasks()
        self._closed = threading.Event()
        #: Lives that have all rows up to ``_last``; another live of the same answer has not.
        self._known: WeakSet[Live] = WeakSet()
        self._last = 0
        self._whole_due = 0.0

    def ensure(self) -> None:
        """Somebody watches: be running."""

        with self._lock:
            if self._running:
                return

            self._running = True

        self._loops.spawn(self._loop)

    def _loop(self) -> None:
        try:
            self._read()
        except BaseException:
            self._running = False
            raise

    def _read(self) -> None:
        pause = FASTEST

        while self._is_wanted():
            started = time.monotonic()
            moved = self._look(started >= self._whole_due)
            slowest = SILENT if self._follow.remote() else SLOWEST
            is_eager = moved and not self._wake.is_trusted
            pause = FASTEST if is_eager else min(slowest, pause * 1.5)
            self._rest(pause, started)

    def _look(self, is_whole: bool) -> bool:
        if is_whole:
            self._whole_due = time.monotonic() + FASTEST * PART

        try:
            return self.tick(is_whole)
        except StorageUnavailable:
            return False
        except Exception as error:
            report(logger, error, "The chat's poller failed; it goes on.")
            return False

    def _rest(self, pause: float, started: float) -> None:
        looked = time.monotonic()

        if self._kick.wait(pause) and not self._closed.is_set():
            rest = min((looked - started) * REST, MOST_REST)
            time.sleep(max(0.0, looked + rest - time.monotonic()))
            self._kick.clear()

    def hurry(self, *, is_text: bool = False) -> None:
        """Read soon: another process has committed something that is watched here.

        ``is_text`` says that it is nothing but text.
        """

        if not is_text:
            self._whole_due = 0.0

        self._kick.set()

    def _is_wanted(self) -> bool:
        with self._lock:
            watched = self._follow.topics() or self._follow.remote()
            self._running = bool(watched) and not self._closed.is_set()

            return self._running

    def close(self) -> None:
        """Read no more, whoever watches; waits for a read that is at work, a while at most."""

        self._closed.set()
        self._kick.set()
        self._loops.join(CLOSE_SECONDS)

    def tick(self, is_whole: bool = True) -> bool:
        """Read once; whether anything had moved. What is not whole is the text alone."""

        lives = {live.generation_id: live for live in self._follow.remote()}
        topics = self._follow.topics()
        before = sum(live.length for live in lives.values())

        with self._database.read() as session:
            if lives:
                self._read_chunks(session, lives)

            if is_whole:
                self._read_ends(session, lives)
                self._read_versions(session, {topic.conversation_id for topic in topics})
                self._revocations.look(session)

        return sum(live.length for live in lives.values()) > before

    def _read_versions(self, session: Session, ids: set[str]) -> None:
        if not ids:
            return

        rows = session.connection().execute(_VERSIONS, {"ids": list(ids)})
        versions = {row.id: row.version for row in rows}

        for id in ids:
            self._follow.topic(id).change(versions.get(id, GONE))

    def _read_chunks(self, session: Session, lives: dict[int, Live]) -> None:
        dialect = self._database.dialect

        if dialect == "postgresql":
            self._read_arrays(session, lives)
        elif is_appended(dialect):
            self._read_appended(session, lives)
        else:
            self._read_keyed(session, lives)

    def _read_appended(self, session: Session, lives: dict[int, Live]) -> None:
        table = self._database.journal
        fresh = {id for id, live in lives.items() if live not in self._known}
        newest = session.scalar(select(func.max(table.c.id))) or self._last
        columns = (table.c.generation_id, table.c.start, table.c.text)
        after = min(self._last, _first_chunk(session, fresh)) if fresh else self._last

        if newest > after:
            mine = and_(table.c.id > after, table.c.generation_id.in_(lives))
            _publish(lives, session.execute(select(*columns).where(mine).order_by(table.c.id)))

        self._last = newest
        self._known = WeakSet(lives.values())

    def _read_arrays(self, session: Session, lives: dict[int, Live]) -> None:
        values = (int_array(lives), int_array(live.length for live in lives.values()))
        _publish(lives, session.connection().exec_driver_sql(_BEHIND, values))

    def _read_keyed(self, session: Session, lives: dict[int, Live]) -> None:
        table = self._database.journal
        behind = or_(
            *(
                and_(table.c.generation_id == id, table.c.start >= live.length)
                for id, live in lives.items()
            )
        )
        columns = (table.c.generation_id, table.c.start, table.c.text)
        order = (table.c.generation_id, table.c.start)
        _publish(lives, session.execute(select(*columns).where(behind).order_by(*order)))

    def _read_ends(self, session: Session, lives: dict[int, Live]) -> None:
        if not lives:
            return

        rows = session.connection().execute(_STATES, {"ids": list(lives)})
        states = {id: (status, code, length) for id, status, code, length in rows}

        for id, live in lives.items():
            status, code, length = states.get(id, ("gone", None, 0))

            if status not in ACTIVE:
                _finish(session, live, length, End(public_status(status), code))


def _first_chunk(session: Session, ids: set[int]) -> int:
    """The row id behind which all rows of these generations lie."""

    return session.connection().scalar(_FIRST_CHUNK, {"ids": list(ids)}) or 0


def _publish(lives: dict[int, Live], rows: object) -> None:
    for id, start, text in rows:  # type: ignore[attr-defined]
        lives[id].publish(start, text)


def _finish(session: Session, live: Live, length: int, end: End) -> None:
    """Tell a live the text of its generation, behind which another's may stand, and its end."""

    content = session.scalar(select(Message.content).where(Message.id == live.message_id))
    start = live.base_offset

    if content is not None:
        live.publish(start, content[start : start + length])

    live.finish(end)
