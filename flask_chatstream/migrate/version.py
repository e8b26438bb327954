"""Which revision a database is at, without Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from flask_chatstream.errors import SchemaError, StorageUnavailable
from flask_chatstream.models import Base

VERSION_TABLE = "chatstream_alembic_version"

#: Every revision of ``migrations/versions``, oldest first; the history has no branches.
REVISIONS = ("0001",)

#: The same table that Alembic makes when it finds none.
version_table = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)

_REVISION = select(version_table.c.version_num)


@cache
def our_tables() -> frozenset[str]:
    """The name of every table of ours in any database, that of the revision too."""

    return frozenset(Base.metadata.tables) | {VERSION_TABLE}


def head() -> str:
    """The revision that this version of the package needs."""

    return REVISIONS[-1]


def stored(connection: Connection) -> str | None:
    """The revision as a connection sees it; asks for the table first.

    PostgreSQL gives up a transaction in which a SELECT failed.
    """

    if not inspect(connection).has_table(VERSION_TABLE):
        return None

    return connection.execute(_REVISION).scalar()


def current(engine: Engine) -> str | None:
    """The revision that the database is at; None when our tables are not there.

    Raises `StorageUnavailable` when the database does not answer.
    """

    with _answering():
        return _select(engine)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise StorageUnavailable("The chat's database does not answer just now.") from error


def _select(engine: Engine) -> str | None:
    with engine.connect() as connection:
        try:
            return connection.execute(_REVISION).scalar()
        except DBAPIError:
            connection.rollback()

            return stored(connection)


def is_current(engine: Engine) -> bool:
    """Whether the database is at the revision that this package needs; one SELECT."""

    return current(engine) == head()


def check(engine: Engine) -> None:
    """Raise `SchemaError` with what to do unless the database is current."""

    found = current(engine)
    refuse_newer(found)

    if found is None:
        raise SchemaError(
            "The chat's tables are not in the database. Run `flask chatstream db upgrade`."
        )

    if found != head():
        raise SchemaError(
            f"The chat's tables are at revision {found}, this version of flask_chatstream needs "
            f"{head()}. Run `flask chatstream db upgrade`."
        )


def check_tables(engine: Engine) -> None:
    """Raise `SchemaError` when a table is gone although the revision says that it is there."""

    with _answering(), engine.connect() as connection:
        gone = our_tables().difference(inspect(connection).get_table_names())

    if gone:
        raise SchemaError(
            f"The database says that it is at revision {head()}, but {', '.join(sorted(gone))} "
            "is gone. Restore it from a backup, or begin anew: `flask chatstream db stamp base`, "
            "then `flask chatstream db upgrade`, which drops no table that holds rows."
        )


def refuse_newer(found: str | None) -> None:
    """Raise `SchemaError` for a revision that this version of the package does not have."""

    if found is None or found in REVISIONS:
        return

    raise SchemaError(
        f"The chat's tables are at revision {found}, which this version of flask_chatstream does "
        f"not know (its newest is {head()}): a newer version upgraded them. Install that version, "
        "or downgrade the tables with it first."
    )
