"""Whether a database's tables are the ones that the models describe."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from flask_chatstream.models import metadata_for

from .version import VERSION_TABLE, our_tables


def find_drift(connection: Connection) -> list[Any]:
    """What Alembic would change to bring our tables to the models; empty when nothing."""

    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(
        connection,
        opts={"version_table": VERSION_TABLE, "include_name": is_ours, "compare_type": True},
    )

    return list(compare_metadata(context, metadata_for(connection.dialect.name)))


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Alembic's ``include_name`` for our tables only."""

    return kind != "table" or name in our_tables()
