"""The text of messages, finished or not: the one rule that pages, the API and the model share.

Read **journal first, message second**: when the fold falls between the two reads, the message has
everything, and the chunks read before start inside it (``docs/states.md``, 3.8). So no
transaction is needed around the two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, or_, select, update
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

    rows = session.execute(_tails(session.get_bind().dialect.name), {"ids": list(message_ids)})
    tails: dict[str, Tail] = {}

    for message_id, group in groupby(rows, key=itemgetter(0)):
        found = list(group)
        pieces = [(start, text) for *_, start, text, _ in found if text is not None]
        at = datetime.fromtimestamp(found[-1].at / 1_000_000, UTC) if pieces else None
        tails[message_id] = Tail(found[0].id, found[0].base_offset, pieces, at)

    return tails


@cache
def _tails(dialect: str) -> Select[Any]:
    table = journal_for(dialect)
    mine = table.c.generation_id == Generation.id

    if is_appended(dialect):
        mine = (table.c.id > Generation.first_chunk) & mine

    columns = (Generation.message_id, Generation.id, Generation.base_offset)
    wanted = Generation.message_id.in_(bindparam("ids", expanding=True))

    return (
        select(*columns, table.c.start, table.c.text, table.c.at)
        .join_from(Generation, table, mine, isouter=True)
        .where(wanted, Generation.status.in_(ACTIVE))
        .order_by(Generation.message_id, Generation.id, table.c.seq)
    )


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
