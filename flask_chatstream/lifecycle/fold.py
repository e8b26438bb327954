"""Storing an end: a generation's rows of the journal become its message's text.

Where rows lie in order of arrival (SQLite), those of one generation are spread over every page that
was written meanwhile, so an end leaves them there and `clearing` removes many at once. Where they
lie under their generation, the end removes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Select,
    Text,
    Update,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from flask_chatstream.models import Conversation, Generation, Message, is_appended, journal_for

from .locks import Locked

_BY_IDS = (
    "SELECT c.seq, c.text FROM json_each(?) AS known"
    " JOIN chatstream_chunk AS c ON c.id = known.value WHERE c.generation_id = ? ORDER BY c.seq"
)


def fold(
    connection: Connection,
    row: Locked,
    generation: Mapping[str, Any],
    rest: Mapping[str, Any],
    chunk_ids: Sequence[int] = (),
) -> str:
    """Store the end of a locked generation, its text behind its message's; the text.

    ``generation`` are the values of its own row by column, ``rest`` those of its message and its
    conversation. Where the journal has no index, ``chunk_ids`` save a search of everything that is
    being written; they are those of all chunks, and are checked against the chunks' numbers.
    """

    if connection.dialect.name == "postgresql":
        statement = _fold_at_once(frozenset(generation))
        named = {f"own_{name}": value for name, value in generation.items()}
        found = connection.execute(statement, {"generation": row.id, **named, **rest})

        return "".join(text for _, text in sorted(found))

    texts = _take_chunks(connection, row, chunk_ids)
    text = "".join(texts)
    counts = {"chunk_count": len(texts), "char_count": len(text)}
    connection.execute(_END_GENERATION, {"generation": row.id, **generation, **counts})
    connection.execute(_END_MESSAGE, {"text": text, **rest})
    connection.execute(_COUNT, rest)

    return text


def _end_message(text: ColumnElement[str]) -> Update:
    return (
        update(Message)
        .where(Message.id == bindparam("message"))
        .values(
            content=Message.content + text,
            status=bindparam("public_status"),
            model=bindparam("answered_by"),
            version=bindparam("next_version"),
            updated_at=bindparam("moment"),
            reasoning=bindparam("thoughts"),
            error_code=bindparam("code"),
            finish_reason=bindparam("reason"),
            input_tokens=bindparam("tokens_in"),
            output_tokens=bindparam("tokens_out"),
            usage=bindparam("spent"),
            html=None,
            html_version=None,
        )
    )


_END_GENERATION = update(Generation).where(Generation.id == bindparam("generation"))
_END_MESSAGE = _end_message(bindparam("text"))
_COUNT = (
    update(Conversation)
    .where(Conversation.id == bindparam("conversation"))
    .values(
        version=bindparam("next_version"),
        updated_at=bindparam("moment"),
        last_message_at=bindparam("moment"),
        total_tokens=Conversation.total_tokens + bindparam("tokens"),
    )
)


@cache
def _fold_at_once(columns: frozenset[str]) -> Select[Any]:
    """All of it as one statement, which saves four answers of the server; for PostgreSQL.

    ``columns`` are those of the generation that are stored, from parameters with ``own_`` in front.
    """

    table = journal_for("postgresql")
    gone = (
        delete(table)
        .where(table.c.generation_id == bindparam("generation"))
        .returning(table.c.seq, table.c.text)
        .cte("gone")
    )
    joined = func.string_agg(gone.c.text, aggregate_order_by(literal_column("''"), gone.c.seq))
    text = select(func.coalesce(joined, "", type_=Text)).scalar_subquery()
    chars = func.coalesce(func.sum(func.char_length(gone.c.text)), 0)
    own: dict[str, Any] = {name: bindparam(f"own_{name}") for name in columns}
    ended = _END_GENERATION.values(
        **own,
        chunk_count=select(func.count()).select_from(gone).scalar_subquery(),
        char_count=select(chars).scalar_subquery(),
    )

    return select(gone.c.seq, gone.c.text).add_cte(
        ended.cte("ended"), _end_message(text).cte("folded"), _COUNT.cte("counted")
    )


def _take_chunks(connection: Connection, row: Locked, chunk_ids: Sequence[int]) -> list[str]:
    dialect = connection.dialect.name
    values = {"generation": row.id, "first": row.first_chunk}

    if not is_appended(dialect):
        texts = list(connection.scalars(_find(dialect), values))
        connection.execute(_remove(dialect), values)

        return texts

    if chunk_ids:
        known = json.dumps(list(chunk_ids))
        rows = connection.exec_driver_sql(_BY_IDS, (known, row.id)).all()

        if [found.seq for found in rows] == list(range(1, len(chunk_ids) + 1)):
            return [found.text for found in rows]

    return list(connection.scalars(_find(dialect), values))


@cache
def _find(dialect: str) -> Select[Any]:
    table = journal_for(dialect)
    mine = table.c.generation_id == bindparam("generation")

    if is_appended(dialect):
        mine = (table.c.id > bindparam("first")) & mine

    return select(table.c.text).where(mine).order_by(table.c.seq)


@cache
def _remove(dialect: str) -> Delete:
    table = journal_for(dialect)

    return delete(table).where(table.c.generation_id == bindparam("generation"))
