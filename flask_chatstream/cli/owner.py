"""``flask chatstream owner``: move or delete the chats of one owner."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from flask_chatstream import owners
from flask_chatstream.conversations import Deleted
from flask_chatstream.state import get_state

from .reporting import reported

owner_commands = AppGroup("owner", help="Move or delete the chats of one owner.")


@owner_commands.command("claim")
@click.argument("old")
@click.argument("new")
def claim_owner(old: str, new: str) -> None:
    """Give all chats of the owner OLD to the owner NEW, in one transaction.

    An owner is what the site's owner_loader returns, or "<table>:<primary key>" of a user.
    """

    with reported():
        count = owners.move(get_state(), old, new)

    click.echo(f"{count} conversations moved.")


@owner_commands.command("delete")
@click.argument("owner")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_owner(owner: str, yes: bool) -> None:
    """Delete all chats of OWNER, with every message in them.

    One that was broken off is run again.
    """

    if not yes:
        click.confirm(f"All chats of {owner!r} are lost. Go on?", abort=True)

    def say(so_far: Deleted) -> None:
        if so_far.conversations % 100 == 0:
            click.echo(f"{so_far.conversations} conversations", err=True)

    with reported():
        deleted = owners.delete(get_state(), owner, say)

    click.echo(f"{deleted.conversations} conversations, {deleted.messages} messages deleted.")


@owner_commands.command("revoke")
@click.argument("owner")
def revoke_owner(owner: str) -> None:
    """End all event streams of OWNER, within seconds; answers are written on."""

    with reported():
        owners.revoke(get_state(), owner)
