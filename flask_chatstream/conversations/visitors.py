"""Anonymous visitors: whoever stores under their id and whoever claims it meet at one row.

A visitor's row comes with the first thing that is stored. Storing holds it shared, a claim holds it
alone: so a claim finds everything, and nothing is stored after it (``docs/states.md``, 3.12).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from flask_chatstream.errors import N_, Conflict
from flask_chatstream.models import Visitor
from flask_chatstream.storage import now

#: How the names of anonymous owners begin.
ANONYMOUS = "anonymous:"

_MINE = Visitor.owner == bindparam("visitor")
_FIND = select(Visitor.claimed_at).where(_MINE)
_HOLD = _FIND.with_for_update(read=True)
_MOMENT = bindparam("moment", type_=Visitor.claimed_at.type)
_CLAIM = update(Visitor).where(_MINE).values(claimed_at=func.coalesce(Visitor.claimed_at, _MOMENT))
_ENTER: dict[str, Any] = {
    "postgresql": postgresql.insert(Visitor).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(Visitor).on_conflict_do_nothing(),
}


def hold_visitor(connection: Connection, owner: str) -> None:
    """Keep an anonymous owner from being claimed until this transaction is over.

    To be called before anything else is locked or stored. Raises `Conflict` for one that is
    claimed already; other owners pass.
    """

    if not owner.startswith(ANONYMOUS):
        return

    while (found := connection.execute(_HOLD, {"visitor": owner}).one_or_none()) is None:
        _enter(connection, owner, now(connection))

    if found.claimed_at is not None:
        words = N_("You have signed in meanwhile. Please send it again.")
        raise Conflict(words, code="owner_changed")


def claim_visitor(connection: Connection, owner: str) -> None:
    """Let nothing be stored under an anonymous owner any more; waits for what is being stored."""

    if not owner.startswith(ANONYMOUS):
        return

    moment = now(connection)

    while connection.execute(_CLAIM, {"visitor": owner, "moment": moment}).rowcount == 0:
        _enter(connection, owner, moment)


def is_claimed(session: Session, owner: str) -> bool:
    """Whether the chats of an anonymous owner were claimed."""

    return session.scalar(_FIND, {"visitor": owner}) is not None


def forget_visitor(connection: Connection, owner: str) -> None:
    """Remove an anonymous owner's row; one that is claimed stays for good."""

    mine = (Visitor.owner == owner, Visitor.claimed_at.is_(None))
    connection.execute(delete(Visitor).where(*mine))


def _enter(connection: Connection, owner: str, moment: datetime) -> None:
    """Store the row, unless somebody has done it; waits for who is about to."""

    enter = _ENTER.get(connection.dialect.name, _IGNORE)
    connection.execute(enter, {"owner": owner, "created_at": moment})


_IGNORE = mysql.insert(Visitor).prefix_with("IGNORE")
