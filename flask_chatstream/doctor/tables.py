"""Whether the chat's tables are what this version of the package needs."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from flask_chatstream import migrate
from flask_chatstream.errors import SchemaError

from .finding import Finding, failure, ok, warning

UPGRADE = "Run `flask chatstream db upgrade`."


def check_tables(engine: Engine, *, automatic: bool) -> Iterator[Finding]:
    """Whether the migrations are at head; ``automatic`` says that the chat upgrades by itself."""

    found = migrate.current(engine)

    try:
        migrate.refuse_newer(found)

        if found != migrate.head():
            yield _behind(found, automatic=automatic)
            return

        migrate.check_tables(engine)
    except SchemaError as error:
        yield failure(str(error), "`flask chatstream db check` says the same by its exit code.")
    else:
        yield ok(f"The tables are at revision {found}, the newest.")


def _behind(found: str | None, *, automatic: bool) -> Finding:
    where = "are not in the database" if found is None else f"are at revision {found}"
    what = f"The chat's tables {where}; this version needs {migrate.head()}."

    if automatic:
        return warning(what, f"The first chat request upgrades them, or now: {UPGRADE}")

    return failure(what, UPGRADE)
