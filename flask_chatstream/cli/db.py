"""``flask chatstream db``: make, upgrade and check the chat's tables."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import Engine

from flask_chatstream import migrate
from flask_chatstream.state import get_state
from flask_chatstream.storage.wal import turn_to_wal

from .reporting import Unhelped, reported

db_commands = AppGroup("db", help="Make, upgrade and check the chat's tables.")


@db_commands.command()
@click.argument("revision", default="head")
@click.option("--sql", is_flag=True, help="Print the SQL and change nothing.")
def upgrade(revision: str, sql: bool) -> None:
    """Bring the chat's tables to REVISION, the newest by default.

    Safe to run from several machines at once. With --sql, REVISION may be a range FROM:TO, for
    which the database is not asked where it is.
    """

    with reported():
        migrate.upgrade(_engine(), revision, sql=sql, on_step=_say_step("Upgraded"))

        if not sql:
            _say_revision()


@db_commands.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(revision: str, yes: bool) -> None:
    """Take the chat's tables back to REVISION.

    "base" drops the tables with every chat in them. A site with automatic upgrades makes them
    again at the next question.
    """

    if not yes:
        click.confirm(f"What revisions after {revision!r} store is lost. Go on?", abort=True)

    with reported():
        migrate.downgrade(_engine(), revision, on_step=_say_step("Took back"))
        _say_revision()


@db_commands.command()
def current() -> None:
    """Print the revision that the chat's tables are at."""

    with reported():
        _say_revision()


@db_commands.command()
def check() -> None:
    """Say whether the chat's tables are current, by the exit code too.

    0: they are. 1: they are missing or behind, and `flask chatstream db upgrade` helps. 2: it does
    not help: the database cannot be reached, a newer version has upgraded it, or tables are gone.
    """

    with reported(Unhelped):
        revision = migrate.current(_engine())
        migrate.refuse_newer(revision)

    with reported():
        migrate.check(_engine())

    with reported(Unhelped):
        migrate.check_tables(_engine())
        _say_revision()


@db_commands.command()
def wal() -> None:
    """Turn the SQLite file with the chat's rows to WAL mode, for good.

    Asks for a moment in which no other process uses the file.
    """

    with reported():
        path, changed = turn_to_wal(_engine())

    click.echo(f"{path} is in WAL mode now." if changed else f"{path} is in WAL mode already.")

    if changed:
        click.echo(_GAIN)


@db_commands.command()
@click.argument("revision")
def stamp(revision: str) -> None:
    """Write down REVISION as the tables' own, without changing them."""

    with reported():
        migrate.stamp(_engine(), revision)
        _say_revision()


_GAIN = """
Readers and the writer no longer wait for each other, and storing a piece of an answer takes one
write to the disk instead of several. It stays so for everybody who opens the file. Beside it are
now a -wal and a -shm file: back up with SQLite's own tools, and keep all processes that use it on
one machine. `PRAGMA journal_mode = DELETE` takes it back."""


def _engine() -> Engine:
    return get_state().database.engine


def _say_step(done: str) -> migrate.OnStep:
    return lambda revision, what: click.echo(f"{done} {revision}: {what}.", err=True)


def _say_revision() -> None:
    revision = migrate.current(_engine())

    if revision is None:
        click.echo("none (the chat's tables are not in the database)")
    else:
        click.echo(f"{revision} (newest)" if revision == migrate.head() else revision)
