"""Whether what was shown survives what CHATSTREAM_DURABILITY says, on the writer's connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, text

from flask_chatstream.storage import Database, commit_level

from .finding import Finding, failure, ok, warning

#: What SQLite calls its numbers.
SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
WAL_MODE = "`flask chatstream db wal`, in a moment in which nobody uses the file."
_POSTGRES = text(
    "SELECT name, setting FROM pg_settings"
    " WHERE name IN ('synchronous_commit', 'fsync', 'full_page_writes')"
)
_MARIADB = text(
    "SHOW GLOBAL VARIABLES WHERE Variable_name"
    " IN ('innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin')"
)


def check_durability(database: Database) -> Iterator[Finding]:
    """What is in force where answers are written, against what is wanted."""

    if database.dialect == "sqlite":
        yield from judge_sqlite(*database.write_apart(_ask_sqlite), database.durability)
    elif database.dialect == "postgresql":
        yield from judge_postgres(*database.write_apart(_ask_postgres), database.durability)
    else:
        yield from judge_mariadb(database.write_apart(_ask_mariadb), database.durability)


def _ask_sqlite(connection: Connection) -> tuple[str, int]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()

    return str(mode), int(connection.exec_driver_sql("PRAGMA synchronous").scalar() or 0)


def _ask_postgres(connection: Connection) -> tuple[dict[str, str], str | None]:
    found = {row.name: row.setting for row in connection.execute(_POSTGRES)}

    return found, commit_level(connection)


def _ask_mariadb(connection: Connection) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in connection.execute(_MARIADB)}


def judge_sqlite(mode: str, synchronous: int, durability: str) -> Iterator[Finding]:
    """Of a file: its journal mode, and how the writer waits for the disk."""

    if mode in ("memory", "off"):
        yield failure(
            f"The file's journal mode is {mode}: a crash in a commit destroys the file.",
            "Have the site set another one, best WAL.",
        )
        return

    if mode == "wal":
        yield ok("The file is in WAL mode.")
    else:
        yield warning(f"The file's journal mode is {mode}; WAL is faster.", WAL_MODE)

    yield _judge_synchronous(synchronous, durability)


def _judge_synchronous(synchronous: int, durability: str) -> Finding:
    what = (
        f"The writer's synchronous is {SYNCHRONOUS.get(synchronous, synchronous)}: what was shown"
    )

    if synchronous >= (2 if durability == "power" else 1):
        return ok(f"{what} survives {_what(durability)}.")

    return failure(
        f"{what} does not survive {_what(durability)}, as CHATSTREAM_DURABILITY wants.",
        "Something of the site's sets this pragma on every connection; let it be.",
    )


def judge_postgres(
    settings: Mapping[str, str], level: str | None, durability: str
) -> Iterator[Finding]:
    """Of a server: how it writes, and how the writer commits.

    ``level`` is the synchronous_commit that its transactions set for themselves, if they do.
    """

    found = level or settings["synchronous_commit"]
    torn = [name for name in ("fsync", "full_page_writes") if settings[name] == "off"]

    if durability == "process":
        yield ok(f"synchronous_commit is {found}: what was shown survives a crash of a worker.")
    elif torn:
        yield failure(
            f"{' and '.join(torn)} off: a power cut destroys the database.",
            "Set them to on in postgresql.conf.",
        )
    else:
        yield _judge_commit(found, settings["synchronous_commit"])


def _judge_commit(found: str, own: str) -> Finding:
    if found in ("off", "local"):
        return failure(
            f"synchronous_commit is {found} on the writer's connection: what was shown does not "
            "survive a crash of the database.",
            "Something of the site's sets it on every connection; let it be.",
        )

    told = "" if own == found else f" (the chat sets it; the site's own is {own})"

    return ok(f"synchronous_commit is {found}{told}: what was shown survives a power cut.")


def judge_mariadb(settings: Mapping[str, str], durability: str) -> Iterator[Finding]:
    """Of a server: whether a commit waits for the disk; only its own settings say so."""

    flush = settings["innodb_flush_log_at_trx_commit"]

    if flush == "1" or durability == "process":
        yield ok(
            f"innodb_flush_log_at_trx_commit is {flush}: what was shown survives "
            f"{_what(durability)}."
        )
    else:
        yield failure(
            f"innodb_flush_log_at_trx_commit is {flush}: a power cut takes up to a second of what "
            "was shown.",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1, and in the server's configuration; or "
            "CHATSTREAM_DURABILITY=process.",
        )

    if settings.get("log_bin") == "ON" and settings.get("sync_binlog") != "1":
        yield warning(
            f"sync_binlog is {settings['sync_binlog']}: a replica may differ after a power cut.",
            "Set sync_binlog = 1 in the server's configuration.",
        )


def _what(durability: str) -> str:
    return "a power cut" if durability == "power" else "a crash of a worker"
