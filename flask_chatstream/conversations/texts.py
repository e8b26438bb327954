"""The text of messages, finished or not: the one rule that pages, the API and the model share.

Read **journal first, message second**: when the fold falls between the two reads, the message has
everything, and the chunks read before start inside it (``docs/states.md``, 3.8). So no
transaction is needed around the two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.orm import Session

from flask_chatstream.models import ACTIVE, Generation, Message, is_appended, journal_for


class Tail(NamedTuple):
    """What the journal adds to a message: pieces by position, and the last group's time."""

    generation_id: int
    base_offset: int
    pieces: list[tuple[int, str]]
    at: datetime | None


class Html(NamedTuple):
    """A finished message's HTML, and the message's version from which it was made."""

    message_id: str
    version: int
    html: str


_HTML = (
    update(Message)
    .where(
        Message.id == bindparam("message"),
        Message.version == bindparam("read_version"),
        Message.status != "generating",
        or_(Message.html.is_(None), Message.html_version != bindparam("renderer")),
    )
    .values(html=bindparam("blocks"), html_version=bindparam("renderer"))
)


def read_tails(session: Session, message_ids: Collection[str]) -> dict[str, Tail]:
    """The journal's part of those messages that are being written. Call it before reading them."""

    if not message_ids:
        return {}

    rows = session.execute(
        select(
            Generation.message_id, Generation.id, Generation.base_offset, Generation.first_chunk
        ).where(Generation.message_id.in_(message_ids), Generation.status.in_(ACTIVE))
    )

    return {
        message_id: _tail(session, id, base_offset, first_chunk)
        for message_id, id, base_offset, first_chunk in rows.all()
    }


def _tail(session: Session, generation_id: int, base_offset: int, first_chunk: int) -> Tail:
    dialect = session.get_bind().dialect.name
    table = journal_for(dialect)
    mine = table.c.generation_id == generation_id

    if is_appended(dialect):
        mine = (table.c.id > first_chunk) & mine

    columns = (table.c.start, table.c.text, table.c.at)
    rows = session.execute(select(*columns).where(mine).order_by(table.c.seq)).all()
    at = datetime.fromtimestamp(rows[-1].at / 1_000_000, UTC) if rows else None

    return Tail(generation_id, base_offset, [(row.start, row.text) for row in rows], at)


def join_text(content: str, pieces: Iterable[tuple[int, str]]) -> str:
    """The stored content and the pieces that go on behind it."""

    found = [content]
    length = len(content)

    for start, text in pieces:
        if start == length:
            found.append(text)
            length += len(text)

    return "".join(found)


def read_text(session: Session, message_id: str) -> str:
    """The whole text of a message as far as it is committed; "" for one that does not exist."""

    tails = read_tails(session, [message_id])
    content = session.scalar(select(Message.content).where(Message.id == message_id))

    return join_text(content or "", tails[message_id].pieces if message_id in tails else ())


def store_html(connection: Connection, rendered: Sequence[Html], renderer: int) -> int:
    """Keep the HTML of finished messages for who shows them next; how many were stored.

    Left out are messages that have changed since they were read, and those whose HTML another
    process has stored meanwhile. ``renderer`` is the version of what made it.
    """

    stored = 0

    for message_id, version, html in rendered:
        values = {"message": message_id, "read_version": version, "blocks": html}
        stored += connection.execute(_HTML, {**values, "renderer": renderer}).rowcount

    return stored
