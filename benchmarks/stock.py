"""A site that has been used for long: conversations of a hundred messages, stored in bulk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

MESSAGES = 100
OWNER = "bench"
BEGAN = datetime(2026, 1, 1)
BATCH = 10_000
WORDS = "A sentence of **middling** length with `code` and a [link](https://example.com/) in it. "
COLUMNS = {
    "chatstream_conversation": (
        "id owner mount title title_source pinned archived active_leaf version message_count"
        " total_tokens last_message_at created_at updated_at"
    ),
    "chatstream_message": (
        "id conversation_id parent_id depth role content status version created_at updated_at"
    ),
    "chatstream_generation": (
        "conversation_id message_id owner mount status epoch base_offset first_chunk attempts"
        " chunk_count char_count viewers created_at"
    ),
}


def conversation_id(number: int) -> str:
    """The id of a stored conversation."""

    return f"{number:012x}7000{1 << 63:016x}"


def message_id(number: int, position: int) -> str:
    """The id of a message; those of all conversations lie between each other, as on a site."""

    return f"{position:012x}7{number >> 32 & 0xFFF:03x}{1 << 63 | number & 0xFFFFFFFF:016x}"


def _moment(number: int, position: int) -> str:
    return (BEGAN + timedelta(hours=position, milliseconds=number)).isoformat(" ", "microseconds")


def _conversations(count: int) -> Iterator[Sequence[Any]]:
    for n in range(count):
        first, last = _moment(n, 0), _moment(n, MESSAGES - 1)
        leaf = message_id(n, MESSAGES - 1)
        names = (conversation_id(n), OWNER, "chatstream", f"Chat {n}", "words")
        yield *names, 0, 0, leaf, MESSAGES, MESSAGES, 0, last, first, last


def _messages(count: int) -> Iterator[Sequence[Any]]:
    for position in range(MESSAGES):
        role = "assistant" if position % 2 else "user"
        text = WORDS * (4 if position % 2 else 1)

        for n in range(count):
            parent = message_id(n, position - 1) if position else None
            ids = (message_id(n, position), conversation_id(n), parent)
            at = _moment(n, position)
            yield *ids, position, role, text, "completed", position + 1, at, at


def _generations(count: int) -> Iterator[Sequence[Any]]:
    for position in range(1, MESSAGES, 2):
        for n in range(count):
            ids = (conversation_id(n), message_id(n, position))
            numbers = (1, 0, 0, 1, 80, 400, 1)
            yield *ids, OWNER, "chatstream", "completed", *numbers, _moment(n, position)


ROWS: dict[str, Callable[[int], Iterator[Sequence[Any]]]] = {
    "chatstream_conversation": _conversations,
    "chatstream_message": _messages,
    "chatstream_generation": _generations,
}


def fill(folder: Path, database: str | None, count: int, say: Callable[[str], None]) -> None:
    """Make the tables of a place, and store so many conversations there."""

    from flask_chatstream import migrate
    from flask_chatstream.storage.engine import embedded_engine, make_engine

    file = folder / "chatstream.sqlite3"
    engine = make_engine(database) if database else embedded_engine(folder)
    migrate.ensure(engine, automatic=True)
    engine.dispose()
    store = _copy if database else _insert

    for table, rows in ROWS.items():
        done = 0

        for part in store(str(database or file), table, rows(count)):
            done += part

            if done % (10 * BATCH) == 0:
                say(f"  {done:,} rows of {table}")


def _batched(rows: Iterator[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    while part := list(islice(rows, BATCH)):
        yield part


def _insert(file: str, table: str, rows: Iterator[Sequence[Any]]) -> Iterator[int]:
    names = COLUMNS[table].split()
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"

    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA cache_size = -400000")
        connection.execute("PRAGMA synchronous = OFF")

        for part in _batched(rows):
            connection.executemany(statement, part)
            yield len(part)

    connection.close()


def _copy(url: str, table: str, rows: Iterator[Sequence[Any]]) -> Iterator[int]:
    import psycopg

    statement = f"COPY {table} ({', '.join(COLUMNS[table].split())}) FROM STDIN"

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        with connection.cursor().copy(statement) as copy:
            for part in _batched(rows):
                for row in part:
                    copy.write_row(row)

                yield len(part)

        connection.commit()
        connection.autocommit = True
        connection.execute(f"VACUUM (ANALYZE) {table}")
