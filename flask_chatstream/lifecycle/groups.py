"""Writing one group of journal rows, behind the fence (``docs/states.md``, 3.3).

Each function writes in one transaction what still belongs to a running generation of the same
epoch, and returns the ids of those generations. They run in the native thread on SQLite: values
in, values out.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, text

from flask_chatstream.models import Generation
from flask_chatstream.storage import commit_level, int_array, text_array, transaction

from .claims import watched


class Row(NamedTuple):
    """A chunk to be written; the order is that of the journal's columns."""

    generation_id: int
    seq: int
    start: int
    text: str


_INSERT = "INSERT INTO chatstream_chunk (generation_id, seq, start, text, at) "
#: Most rows of one statement on SQLite.
_MOST = 64


class Written(NamedTuple):
    """Which generations' rows were written, and which wait because somebody holds their lock.

    On SQLite also the first row id: the written rows have it and the ones behind it, in order.
    """

    live: set[int]
    held: set[int]
    first_id: int | None = None


def write_group(connection: Connection, rows: Sequence[Row], epochs: dict[int, int]) -> Written:
    """Write a group; ``epochs`` says for each of its generations which epoch was claimed.

    A generation that is neither written nor held has ended or was claimed anew. On SQLite the
    connection is in a transaction; elsewhere it commits by itself.
    """

    return _WRITERS.get(connection.dialect.name, _write_locked)(connection, rows, epochs)


def _write_sqlite(connection: Connection, rows: Sequence[Row], epochs: dict[int, int]) -> Written:
    # The driver's own cursor: this runs for every group, and its statement needs no translation.
    cursor = connection.connection.cursor()

    try:
        stored = sum(
            _insert(cursor, rows[n : n + _MOST], epochs) for n in range(0, len(rows), _MOST)
        )
        is_whole = 0 < stored == len(rows)
        live = set(epochs) if is_whole else _still(connection, epochs, epochs)
        first_id = cursor.lastrowid - stored + 1 if stored else None

        return Written(live, set(), first_id)
    finally:
        cursor.close()


def _insert(cursor: Any, rows: Sequence[Row], epochs: dict[int, int]) -> int:
    size = 1 << (len(rows) - 1).bit_length()
    values: list[object] = []

    for row in rows:
        values += row
        values.append(epochs[row.generation_id])

    values += (None,) * 5 * (size - len(rows))
    values.append(time.time_ns() // 1000)
    cursor.execute(_fenced(size), values)

    return int(cursor.rowcount)


@cache
def _fenced(size: int) -> str:
    """One statement for a group, since each step of a statement gives the interpreter away.

    Sizes are powers of two, so that few statements are prepared; rows of NULLs join nothing.
    """

    rows = ", ".join(["(?, ?, ?, ?, ?)"] * size)

    return (
        f"{_INSERT} WITH w (generation_id, seq, start, text, epoch) AS (VALUES {rows})"
        " SELECT w.generation_id, w.seq, w.start, w.text, ?"
        " FROM w CROSS JOIN chatstream_generation AS g"
        " ON g.id = w.generation_id AND g.epoch = w.epoch AND g.status = 'running'"
    )


#: A statement is a transaction here, and takes the level of its commit with it.
_LEVEL = "level AS MATERIALIZED (SELECT set_config('synchronous_commit', %s, true)),"
# Generations are found by their ids alone: a planner whose statistics say that none is running
# would look through all that are, once for each of the group's.
_POSTGRESQL = """
WITH {level} live AS MATERIALIZED (
    SELECT g.id, CASE g.status WHEN 'running' THEN g.epoch END AS epoch
      FROM {source} chatstream_generation g
     WHERE g.id = ANY (%s::bigint[]) ORDER BY g.id FOR SHARE OF g SKIP LOCKED
), written AS (
    INSERT INTO chatstream_chunk (generation_id, seq, start, text, at)
    SELECT r.generation_id, r.seq, r.start, r.text,
           (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
      FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::int[])
           AS r (generation_id, seq, start, text, epoch)
      JOIN live ON live.id = r.generation_id AND live.epoch = r.epoch
)
SELECT array_agg(id), array_agg(epoch) FROM live
"""
_PLAIN = _POSTGRESQL.format(level="", source="")
_AT_LEVEL = _POSTGRESQL.format(level=_LEVEL, source="level CROSS JOIN")


def _write_postgresql(
    connection: Connection, rows: Sequence[Row], epochs: dict[int, int]
) -> Written:
    ids, seqs, starts, texts = zip(*rows, strict=True) if rows else ((),) * len(Row._fields)
    claimed = [epochs[id] for id in ids]
    arrays = (*map(int_array, (epochs, ids, seqs, starts)), text_array(texts), int_array(claimed))
    level = commit_level(connection)
    query, values = (_PLAIN, arrays) if level is None else (_AT_LEVEL, (level, *arrays))
    locked, theirs = connection.exec_driver_sql(query, values).one()
    # One that is not running any more has no epoch here.
    found = dict(zip(locked or (), theirs or (), strict=True))
    live = {id for id, epoch in found.items() if epochs[id] == epoch}
    missing = epochs.keys() - found.keys()

    return Written(live, _still(connection, epochs, missing) if missing else set())


def _held(connection: Connection, epochs: dict[int, int], live: set[int]) -> set[int]:
    """Generations that were passed over for their lock and are still ours."""

    missing = epochs.keys() - live

    return _still(connection, epochs, missing) if missing else set()


def _still(connection: Connection, epochs: dict[int, int], ids: Collection[int]) -> set[int]:
    return {id for id, epoch in watched(connection, ids).items() if epochs[id] == epoch}


#: In UTC, for the session's hour repeats itself when its summer ends.
_STAMP = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"


def _write_locked(connection: Connection, rows: Sequence[Row], epochs: dict[int, int]) -> Written:
    with transaction(connection):
        found = connection.execute(
            select(Generation.id, Generation.epoch)
            .where(Generation.id.in_(epochs), Generation.status == "running")
            .order_by(Generation.id)
            .with_for_update(read=True, skip_locked=True)
        )
        live = {id for id, epoch in found if epochs[id] == epoch}
        stamp = connection.execute(text(_STAMP)).scalar_one()
        values = [(*row, stamp) for row in rows if row.generation_id in live]

        if values:
            connection.exec_driver_sql(_INSERT + "VALUES (%s, %s, %s, %s, %s)", values)

    return Written(live, _held(connection, epochs, live))


_WRITERS = {"sqlite": _write_sqlite, "postgresql": _write_postgresql}
