"""The commands of ``flask chatstream``: a file for each, or for each group of them."""

from __future__ import annotations

from flask import Blueprint

from .db import db_commands
from .doctor import doctor
from .owner import owner_commands
from .sweep import sweep

__all__ = ["register"]


def register(blueprint: Blueprint) -> None:
    """Give a blueprint the commands; it names their group."""

    blueprint.cli.help = "Commands of the chat."

    for command in (db_commands, doctor, owner_commands, sweep):
        blueprint.cli.add_command(command)
