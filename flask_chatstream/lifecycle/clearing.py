"""Removing rows of ended generations from the journal (``docs/states.md``, 3.11).

Only where rows lie in order of arrival: elsewhere an end takes its own. Rows of ended generations
are inert, for every reader asks for those of active ones; so they go from the front, page after
page, and no end pays for pages that it shares with everybody.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select

from flask_chatstream.models import Generation, is_appended, journal_for
from flask_chatstream.storage import Database

#: Rows of one transaction: text that is being written waits for no more.
BATCH = 2_000


def clear_journal(database: Database) -> int:
    """Remove what lies in front of every running generation's rows; how many rows went."""

    if not is_appended(database.dialect):
        return 0

    with database.read() as session:
        if not _front(session.connection()):
            return 0

    cleared = 0

    while removed := database.write(_clear):
        cleared += removed

    return cleared


def count_clearable(database: Database) -> int:
    """How many rows `clear_journal` would remove."""

    if not is_appended(database.dialect):
        return 0

    with database.read() as session:
        front = _front(session.connection())
        id = database.journal.c.id
        count = select(func.count()).where(id >= front.start, id < front.stop)

        return session.scalar(count) or 0


def _clear(connection: Connection) -> int:
    front = _front(connection)

    if not front:
        return 0

    table = journal_for(connection.dialect.name)
    last = min(front.start + BATCH, front.stop) - 1

    return connection.execute(delete(table).where(table.c.id <= last)).rowcount


def _front(connection: Connection) -> range:
    """The row ids that no running generation has; each keeps what came after its claim."""

    table = journal_for(connection.dialect.name)
    # SQLite looks up one of the two, and would read everything for both in one query.
    first = connection.scalar(select(func.min(table.c.id)))
    last = connection.scalar(select(func.max(table.c.id)))

    if first is None or last is None:
        return range(0)

    kept = connection.scalar(
        select(func.min(Generation.first_chunk)).where(Generation.status == "running")
    )

    return range(first, (last if kept is None else min(kept, last)) + 1)
