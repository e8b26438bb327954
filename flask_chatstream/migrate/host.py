"""The host's ``create_all()`` and ``drop_all()`` cover our tables too.

Alembic cannot do it: its environments do not nest, and hosts call ``create_all()`` inside their
own migrations. So the tables are made from the metadata and the newest revision is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, MetaData, Table, event, inspect
from sqlalchemy.sql.ddl import sort_tables

from flask_chatstream.models import metadata_for

from .locks import locked_within
from .version import head, our_tables, stored, version_table

_covered: WeakSet[MetaData] = WeakSet()


def cover_host_metadata(metadata: MetaData, carries: Callable[[], bool]) -> None:
    """Make and drop our tables together with all of a host's.

    ``carries`` says, when it happens, whether our tables belong into that database; several apps
    may share one metadata. A call for some of the host's tables only leaves ours alone. The first
    call for a metadata counts. A host that reflects has our tables in its metadata; what it makes
    of them is replaced by what they are.
    """

    if metadata in _covered:
        return

    _covered.add(metadata)

    @event.listens_for(metadata, "after_create")
    def create(target: MetaData, connection: Connection, *, tables: Any, **_: Any) -> None:
        if carries():
            _create(connection, _others(target, tables), _ours(connection, tables))

    @event.listens_for(metadata, "before_drop")
    def drop(target: MetaData, connection: Connection, *, tables: Any, **_: Any) -> None:
        if carries() and not _exists(connection, _others(target, tables)):
            _drop(connection, _ours(connection, tables))


def _create(connection: Connection, others: list[Table], reflected: list[Table]) -> None:
    if stored(connection) is not None or not _exists(connection, others, all):
        return

    with locked_within(connection):
        for table in reversed(sort_tables(reflected)):
            table.drop(connection)

        if _is_empty(connection):
            metadata_for(connection.dialect.name).create_all(connection, checkfirst=False)
            version_table.create(connection, checkfirst=True)
            connection.execute(version_table.insert().values(version_num=head()))


def _drop(connection: Connection, reflected: list[Table]) -> None:
    """Drop ours, but for those that the host is about to drop itself."""

    theirs = {table.name for table in reflected}
    ours = [*metadata_for(connection.dialect.name).sorted_tables, version_table]

    for table in reversed(ours):
        if table.name not in theirs:
            table.drop(connection, checkfirst=True)


def _ours(connection: Connection, tables: Collection[Table] | None) -> list[Table]:
    """What of the host's tables are ours, reflected."""

    homes = (None, connection.dialect.default_schema_name)

    return [table for table in tables or () if table.name in our_tables() and table.schema in homes]


def _others(metadata: MetaData, tables: Collection[Table] | None) -> list[Table]:
    """The host's tables that the call did not make or does not drop."""

    return [table for table in metadata.tables.values() if table not in set(tables or ())]


def _exists(
    connection: Connection,
    tables: list[Table],
    count: Callable[[Any], bool] = any,
) -> bool:
    inspector = inspect(connection)

    return count(inspector.has_table(table.name, schema=table.schema) for table in tables)


def _is_empty(connection: Connection) -> bool:
    if stored(connection) is not None:
        return False

    there = inspect(connection).get_table_names()

    return not (our_tables() - {version_table.name}).intersection(there)
