"""The table of servers and databases of ``docs/deploying.md``, and the row of this deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .facts import Facts
from .finding import Finding, failure, ok, warning

HOOKS = "from flask_chatstream.gunicorn import *"


@dataclass(frozen=True, slots=True)
class Row:
    """A server: what answers run in, how viewers follow, what a restart does to answers."""

    name: str
    runner: str
    following: str
    restart: str


OWN = Row("gevent's `WSGIServer`", "greenlets", "stream", "drain")
GEVENT = Row("gunicorn `-k gevent`", "greenlets", "stream", "drain")
GTHREAD = Row("gunicorn `-k gthread`", "threads", "half stream", "drain")
SYNC = Row("gunicorn `-k sync`", "threads", "poll", "drain")
FLASK = Row("`flask run`", "threads", "stream", "cut")
ROWS = (OWN, GEVENT, GTHREAD, SYNC, FLASK)
#: Of servers that need no hooks.
RESTARTS = {
    OWN: "Running answers end before a restart where the program calls `drain()`. ",
    FLASK: "A restart cuts running answers off. ",
}
#: The promises that hold, by the database.
PROMISES = {
    "embedded": "D1-D7",
    "SQLite, WAL": "D1-D7",
    "SQLite, no WAL": "D1-D7",
    "in memory": "one process",
    "PostgreSQL": "D1-D7",
    "MariaDB": "D1-D7*",
}


def find_row(facts: Facts) -> Row | None:
    """The row of the server that answered; None for one that is not in the table."""

    name = facts.server.partition("/")[0]

    if name == "gunicorn":
        return GEVENT if facts.is_patched else GTHREAD if facts.multithread else SYNC

    return {"gevent": OWN, "Werkzeug": FLASK}.get(name)


def check_server(facts: Facts, database: str) -> Iterator[Finding]:
    """The deployment's row in words, and what could be better; ``database`` is its column."""

    row = find_row(facts)
    threads = f"threads: {_word(facts.multithread)}, processes: {_word(facts.multiprocess)}"

    if row is None:
        yield warning(
            f"The server is {facts.server or 'one without a name'} ({threads}), which is not in "
            f"the table. {_following(facts)}",
            "The table of docs/deploying.md has the servers that are tried.",
        )
    else:
        is_queued = facts.runner == "celery"
        runner = "Celery's workers" if is_queued else row.runner
        restart = "" if is_queued else RESTARTS.get(row, "")
        yield ok(
            f"{row.name} on {database} ({threads}): answers run in {runner}. "
            f"{_following(facts)} {restart}Promises: {PROMISES[database]}."
        )

    yield from _advise(row, facts)


def _advise(row: Row | None, facts: Facts) -> Iterator[Finding]:
    if "gevent" in facts.server and not facts.is_patched:
        yield failure(
            "gevent serves, and the process is not patched: whatever waits stalls everybody.",
            "`from gevent import monkey; monkey.patch_all()` as the program's first line.",
        )

    if facts.blocking is not None:
        yield failure("The database's driver blocks the event loop.", facts.blocking)
    elif facts.is_patched:
        yield ok("The process is patched, and the database's driver waits with the event loop.")

    if row is FLASK:
        yield warning("`flask run` is for development.", "Serve with gunicorn or gevent.")

    if row is SYNC:
        yield warning(
            "A sync worker serves one request at a time.", "Take gevent or gthread workers."
        )

    if row in (GEVENT, GTHREAD, SYNC):
        yield _judge_hooks(facts)


def _judge_hooks(facts: Facts) -> Finding:
    if facts.has_hooks:
        return ok("gunicorn's hooks are there: a restart lets running answers end.")

    return warning(
        "gunicorn's hooks are not there: a restart cuts running answers off.",
        f"`{HOOKS}` in gunicorn.conf.py.",
    )


def _following(facts: Facts) -> str:
    if facts.seats is None:
        return "Any number of viewers stream."

    if facts.seats == 0:
        return "Viewers poll."

    return f"{facts.seats} viewers of a worker stream ({facts.taken} do), the rest poll."


def _word(is_there: bool) -> str:
    return "yes" if is_there else "no"
