"""Tables of ours without a revision: what a broken-off migration or a lost row left behind."""

from __future__ import annotations

from sqlalchemy import Connection, Table, inspect, select

from flask_chatstream.errors import SchemaError
from flask_chatstream.models import metadata_for

from .drift import find_drift
from .version import head, stored, version_table


def settle_remains(connection: Connection) -> None:
    """Make a database fit for an upgrade that has no revision but tables of ours.

    Whole tables get the newest revision. Empty ones go: MariaDB keeps the first tables of a
    migration whose process died. Raises `SchemaError` when others hold rows.
    """

    if stored(connection) is not None:
        return

    found = _tables(connection)

    if not found:
        return

    if not find_drift(connection):
        version_table.create(connection, checkfirst=True)
        connection.execute(version_table.insert().values(version_num=head()))
        return

    _refuse_filled(connection, found)

    for table in reversed(found):
        table.drop(connection)


def _tables(connection: Connection) -> list[Table]:
    there = set(inspect(connection).get_table_names())
    tables = metadata_for(connection.dialect.name).sorted_tables

    return [table for table in tables if table.name in there]


def _refuse_filled(connection: Connection, tables: list[Table]) -> None:
    filled = [
        table.name
        for table in tables
        if connection.execute(select(1).select_from(table).limit(1)).first()
    ]

    if filled:
        raise SchemaError(
            f"The database has no revision of the chat's tables, but {', '.join(filled)} hold rows "
            "and are not as this version makes them. If you know their revision, run "
            "`flask chatstream db stamp REVISION`; if not, move these tables away."
        )
