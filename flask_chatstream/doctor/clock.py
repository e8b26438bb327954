"""This machine's clock against the database's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sqlalchemy import Engine

from flask_chatstream.storage import now

from .finding import Finding, ok, skipped, warning

#: More than this many seconds are worth a word.
MOST = 2.0
TRIES = 3


def _here() -> datetime:
    return datetime.now(UTC)


def check_clock(engine: Engine, here: Callable[[], datetime] = _here) -> Iterator[Finding]:
    """How far the database's clock is from this machine's."""

    if engine.dialect.name == "sqlite":
        yield skipped("SQLite goes by this machine's clock.")
        return

    with engine.connect() as connection:
        measured = []

        for _ in range(TRIES):
            before, moment, after = here(), now(connection), here()
            measured.append((after - before, moment - before - (after - before) / 2))

    # The quickest answer tells best.
    yield judge_skew("This machine's", -min(measured)[1].total_seconds())


def judge_skew(whose: str, seconds: float, than: str = "the database's") -> Finding:
    """Of a clock that is so many seconds ahead of another one."""

    if abs(seconds) <= MOST:
        return ok(f"{whose} clock goes with {than} ({seconds:+.2f} s).")

    way = "ahead of" if seconds > 0 else "behind"

    return warning(
        f"{whose} clock is {abs(seconds):.0f} s {way} {than}.",
        "No answer suffers, for the chat goes by the database's clock; cookies, logs and "
        "certificates may. Let all machines follow a time server (timedatectl set-ntp true).",
    )
