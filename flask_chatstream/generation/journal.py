"""The journal of one process: appended text becomes committed text, in groups.

    append ─▶ pending ─▶ prepare: rows ─▶ execute: one transaction ─▶ publish: followers

A generation appends and goes on reading its provider. Whatever is pending when the writer is free
is one group. A group that the database does not take is kept, compared with what is stored, and
written again; nothing of it is shown meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from itertools import count

from sqlalchemy import Connection, func, select

from flask_chatstream.failures import name_ids
from flask_chatstream.lifecycle import Row, Written, write_group
from flask_chatstream.models import Generation
from flask_chatstream.storage import Database
from flask_chatstream.wake import Wake

from .stream import Fenced, StorageLost, Stream

logger = logging.getLogger(__name__)

#: Longest text of one row, in code points.
MAX_ROW = 16_384
#: How long a group is tried before its generations are given up, in seconds.
GIVE_UP_SECONDS = 30.0
#: Pause before rows are tried again whose generation somebody has locked, in seconds.
HELD_PAUSE = 0.02


class Journal:
    """Collects the text of all generations of a process, and commits it in groups."""

    def __init__(self, database: Database, wake: Wake | None = None):
        self._database = database
        self._wake = wake or Wake(None)
        self._pending: deque[tuple[Stream, str]] = deque()
        self._scheduled = False
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._streams: dict[int, Stream] = {}
        self._failing_since: float | None = None
        self._written: Written | None = None
        self.groups = 0
        self.rows = 0

    def append(self, stream: Stream, text: str) -> None:
        """Queue a piece of text; never blocks."""

        self._pending.append((stream, text))

        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        with self._lock:
            if self._scheduled:
                return

            self._scheduled = True

        try:
            self._database.writer.submit(self)
        except BaseException:
            # Broken off from outside: the next text is to be scheduled.
            self._scheduled = False
            raise

    def prepare(self) -> int:
        """Join what is pending into rows, behind the rows of a group that was not taken."""

        self._scheduled = False
        self._written = None
        joined: dict[Stream, list[str]] = {}

        while self._pending:
            stream, text = self._pending.popleft()
            pieces = joined.get(stream)

            if pieces is None:
                joined[stream] = [text]
            else:
                pieces.append(text)

        for stream, pieces in joined.items():
            if stream.failure is None:
                self._add(stream, pieces[0] if len(pieces) == 1 else "".join(pieces))

        return len(self._rows)

    def _add(self, stream: Stream, text: str) -> None:
        id = stream.live.generation_id
        self._streams[id] = stream

        for offset in range(0, len(text), MAX_ROW):
            piece = text[offset : offset + MAX_ROW] if len(text) > MAX_ROW else text
            stream.count += 1
            self._rows.append(Row(id, stream.count, stream.placed, piece))
            stream.placed += len(piece)

    def execute(self, connection: Connection) -> None:
        """Write the group in one transaction."""

        rows = self._rows if self._failing_since is None else self._unstored(connection)
        epochs = {id: stream.epoch for id, stream in self._streams.items()}
        written = write_group(connection, rows, epochs) if epochs else Written(set(), set())
        self._written = written

    def _unstored(self, connection: Connection) -> list[Row]:
        """The rows of a failed group that its lost commit did not store after all.

        The lock waits for the old transaction, should it still be alive in the server.
        """

        table = self._database.journal
        ids = sorted(self._streams)
        connection.execute(
            select(Generation.id)
            .where(Generation.id.in_(ids))
            .order_by(Generation.id)
            .with_for_update()
        ).all()
        stored = connection.execute(
            select(table.c.generation_id, func.max(table.c.seq))
            .where(table.c.generation_id.in_(self._streams))
            .group_by(table.c.generation_id)
        )
        highest = {row[0]: row[1] for row in stored}

        return [row for row in self._rows if row.seq > highest.get(row.generation_id, 0)]

    def publish(self, error: Exception | None) -> None:
        """Show what was committed; keep what was not and try again."""

        if error is not None or self._written is None:
            self._retry(error)
            return

        rows, streams, (live, held, first_id) = self._rows, self._streams, self._written
        ids = count(first_id) if first_id and self._failing_since is None else None
        self._failing_since = None
        self._rows = [row for row in rows if row.generation_id in held] if held else []
        self._streams = {id: streams[id] for id in held}
        self.groups += 1
        self.rows += len(rows) - len(self._rows)

        try:
            for id in streams.keys() - live - held:
                streams[id].lose(Fenced)

            for row in rows:
                if row.generation_id in live:
                    _show(streams[row.generation_id], row, next(ids) if ids else None)

            self._wake.tell_text(streams[id].live.conversation_id for id in live)
        except BaseException:
            # Broken off from outside: what is committed stays, and nobody may wait for ever.
            for stream in streams.values():
                stream.lose(StorageLost)
            raise

        if held:
            self._schedule()
            time.sleep(HELD_PAUSE)

    def _retry(self, error: Exception | None) -> None:
        now = time.monotonic()

        if self._failing_since is None:
            self._failing_since = now
            # Not the whole error: it would bring the text of people's chats into the log.
            reason = getattr(error, "orig", error)
            logger.warning("The chat's journal is waiting for the database: %r", reason)

        if now - self._failing_since > GIVE_UP_SECONDS:
            self._give_up()
            return

        self._schedule()
        time.sleep(min(1.0, 0.05 + (now - self._failing_since) / 4))

    def _give_up(self) -> None:
        streams = self._streams
        self._rows, self._streams, self._failing_since = [], {}, None
        words = "The chat's database took nothing for %d seconds."
        logger.error(words, GIVE_UP_SECONDS, extra=name_ids(generation_ids=sorted(streams)))

        for stream in streams.values():
            stream.lose(StorageLost)


def _show(stream: Stream, row: Row, chunk_id: int | None) -> None:
    stream.committed = row.start + len(row.text)

    if chunk_id is not None:
        stream.chunk_ids.append(chunk_id)

    # A viewer who read the database first has told its text, and ``flush`` is waiting.
    if not stream.live.publish(row.start, row.text):
        stream.live.wake()
