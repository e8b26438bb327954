"""Runs our migrations through Alembic, under both locks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from flask_chatstream.errors import SchemaError
from flask_chatstream.models import metadata_for

from .locks import locked, process_lock
from .servers import refuse_server
from .version import VERSION_TABLE, check, current, head, is_current, refuse_newer, stored

if TYPE_CHECKING:
    from alembic.config import Config

logger = logging.getLogger(__name__)

#: Called after each step with the revision's id and what it does.
OnStep = Callable[[str, str], None]

#: How long a command waits for another process, in seconds, and how long a request does.
_COMMAND_WAIT = 60
_REQUEST_WAIT = 10


def upgrade(
    engine: Engine, revision: str = "head", *, sql: bool = False, on_step: OnStep | None = None
) -> None:
    """Bring our tables to a later revision; nothing happens when they are there already.

    With ``sql`` the statements are printed and not executed: from the revision that the database
    is at, or for a range ``from:to`` without looking at it. Raises `SchemaError` when the
    database is newer than the package or the upgrade fails, `StorageUnavailable` when another
    process does not release the lock within a minute.
    """

    if sql:
        _print_upgrade(engine, revision, on_step)
        return

    with process_lock():
        _upgrade(engine, revision, _COMMAND_WAIT, on_step)


def downgrade(engine: Engine, revision: str, *, on_step: OnStep | None = None) -> None:
    """Bring our tables back to a revision; ``base`` drops them with all chats.

    Raises as `upgrade` does.
    """

    from alembic import command

    with process_lock(), _migrating(engine, _COMMAND_WAIT) as connection:
        refuse_newer(stored(connection))
        command.downgrade(_online(connection, on_step), revision)


def stamp(engine: Engine, revision: str) -> None:
    """Write down that the database is at a revision, without changing a table."""

    from alembic import command

    with process_lock(), _migrating(engine, _COMMAND_WAIT) as connection:
        command.stamp(_online(connection), revision, purge=True)


def ensure(engine: Engine, *, automatic: bool) -> None:
    """Return when our tables are current; for the first use of an engine.

    They are upgraded when ``automatic``, else `SchemaError` names the command. Many callers at
    once, in one process or several, make one upgrade.
    """

    if is_current(engine):
        return

    if not automatic:
        check(engine)
        return

    with process_lock():
        if not is_current(engine):
            _upgrade(engine, "head", _REQUEST_WAIT, None)
            logger.info("The chat's tables were brought to revision %s.", head())


def _upgrade(engine: Engine, revision: str, wait: int, on_step: OnStep | None) -> None:
    from alembic import command

    from .remains import settle_remains

    with _migrating(engine, wait) as connection:
        refuse_server(connection)
        refuse_newer(stored(connection))
        settle_remains(connection)
        command.upgrade(_online(connection, on_step), revision)


def _print_upgrade(engine: Engine, revision: str, on_step: OnStep | None) -> None:
    from alembic import command

    if ":" not in revision:
        found = current(engine)
        refuse_newer(found)
        revision = f"{found or 'base'}:{revision}"

    offline = {"dialect_name": engine.dialect.name, "literal_binds": True}

    with process_lock(), _explained():
        command.upgrade(_config(offline, engine.dialect.name, on_step), revision, sql=True)


@contextmanager
def _migrating(engine: Engine, wait: int) -> Iterator[Connection]:
    with _explained(), locked(engine, wait) as connection:
        yield connection


@contextmanager
def _explained() -> Iterator[None]:
    from alembic.util import CommandError

    try:
        yield
    except CommandError as error:
        raise SchemaError(f"{error}.".replace("..", ".")) from error
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())
        raise SchemaError(f"The chat's tables could not be changed: {said}") from error


def _online(connection: Connection, on_step: OnStep | None = None) -> Config:
    dialect = connection.dialect.name

    if dialect in ("mysql", "mariadb"):  # every statement commits, so Alembic commits every step
        connection.commit()

    return _config({"connection": connection}, dialect, on_step)


def _config(target: dict[str, Any], dialect: str, on_step: OnStep | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "flask_chatstream:migrations")
    config.attributes["configure"] = {
        **target,
        "target_metadata": metadata_for(dialect),
        "version_table": VERSION_TABLE,
        "render_as_batch": True,
        "transaction_per_migration": True,
        "on_version_apply": _reporter(on_step),
    }

    return config


def _reporter(on_step: OnStep | None) -> Callable[..., None]:
    def report(*, step: Any, **_: Any) -> None:
        if on_step is not None and not step.is_stamp:
            on_step(step.up_revision_id, step.up_revision.doc)

    return report
