"""The journal: committed pieces of answers that are being written.

Its shape differs by database (measured; ``docs/states.md``). On SQLite rows lie in order of
arrival under one growing row id and nothing else, so that a commit touches one or two pages
however many answers it holds; ids are never used again (``AUTOINCREMENT``), because rows
of ended generations are removed. PostgreSQL and MariaDB keep them under (generation, start).
"""

from __future__ import annotations

from functools import cache

from sqlalchemy import BigInteger, Column, Integer, MetaData, PrimaryKeyConstraint, Table

from .base import COUNTED, SERIAL, TABLE, Base, long_text


def _shared() -> list[Column[object]]:
    return [
        Column("generation_id", BigInteger, nullable=False, autoincrement=False),
        Column("seq", Integer, nullable=False),
        Column("start", Integer, nullable=False, autoincrement=False),
        Column("text", long_text(), nullable=False),
        Column("at", BigInteger, nullable=False),
    ]


_appended = Table(
    "chatstream_chunk",
    Base.metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    *_shared(),
    **COUNTED,
)


@cache
def _keyed_metadata() -> MetaData:
    metadata = MetaData()

    for table in Base.metadata.sorted_tables:
        if table is not _appended:
            table.to_metadata(metadata)

    key = PrimaryKeyConstraint("generation_id", "start", name="pk_chatstream_chunk")
    Table("chatstream_chunk", metadata, *_shared(), key, **TABLE)

    return metadata


def metadata_for(dialect: str) -> MetaData:
    """All of the package's tables as they are on ``dialect`` (``sqlite``, ``postgresql``, ...)."""

    return Base.metadata if is_appended(dialect) else _keyed_metadata()


def journal_for(dialect: str) -> Table:
    """The journal's table as it is on ``dialect``.

    Columns: ``generation_id``; ``seq``, 1..n without a gap; ``start``, position of the first code
    point in the message's text; ``text``; ``at``, commit time of the group in microseconds since
    1970 by the database's clock. On SQLite also ``id``, which grows in order of commit.
    """

    return metadata_for(dialect).tables["chatstream_chunk"]


def is_appended(dialect: str) -> bool:
    """Whether the journal lies in order of arrival under a growing ``id``, with no other index."""

    return dialect == "sqlite"
