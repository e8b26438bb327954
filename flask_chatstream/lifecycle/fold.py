"""Reading a generation's rows out of the journal, to be folded into its message.

Where rows lie in order of arrival (SQLite), those of one generation are spread over every page that
was written meanwhile, so an end leaves them there and `clearing` removes many at once. Where they
lie under their generation, the end removes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Delete, Select, bindparam, delete, select

from flask_chatstream.models import is_appended, journal_for

_BY_IDS = (
    "SELECT c.seq, c.text FROM json_each(?) AS known"
    " JOIN chatstream_chunk AS c ON c.id = known.value WHERE c.generation_id = ? ORDER BY c.seq"
)


def take_chunks(
    connection: Connection, generation_id: int, first_chunk: int, chunk_ids: Sequence[int]
) -> list[str]:
    """The texts of a generation's chunks in order.

    Where the journal has no index, known row ids save a search of everything that is being
    written. They are those of all chunks, and are checked against the chunks' numbers.
    """

    dialect = connection.dialect.name
    values = {"generation": generation_id, "first": first_chunk}

    if not is_appended(dialect):
        texts = list(connection.scalars(_find(dialect), values))
        connection.execute(_remove(dialect), values)

        return texts

    if chunk_ids:
        known = json.dumps(list(chunk_ids))
        rows = connection.exec_driver_sql(_BY_IDS, (known, generation_id)).all()

        if [row.seq for row in rows] == list(range(1, len(chunk_ids) + 1)):
            return [row.text for row in rows]

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
