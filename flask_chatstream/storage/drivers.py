"""Database drivers that block gevent's event loop, and what to do about it."""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import Engine

from flask_chatstream.concurrency import is_patched

TOO_EARLY = (
    "psycopg was imported before gevent patched the process, so every query stalls all requests "
    "of this worker. Patch first: put `from gevent import monkey; monkey.patch_all()` at the top "
    "of gunicorn.conf.py (or of the module that --preload loads), or leave --preload out."
)
WRONG_ONE = (
    "The driver {driver} waits in C, so every query stalls all requests of this worker. With "
    "gevent use {instead}."
)
INSTEAD = {
    "psycopg2": "psycopg 3 (postgresql+psycopg://)",
    "mysqldb": "PyMySQL (mysql+pymysql://)",
    "mariadbconnector": "PyMySQL (mysql+pymysql://)",
    "mysqlconnector": "PyMySQL (mysql+pymysql://)",
}


def find_blocking(engine: Engine) -> str | None:
    """Why the engine's driver blocks the event loop of this process, and what helps, in words.

    None when it does not, or when there is no event loop.
    """

    if not is_patched():
        return None

    driver = engine.dialect.driver

    if driver == "psycopg":
        return TOO_EARLY if _waits_in_c() else None

    if driver in INSTEAD and not _has_callback():
        return WRONG_ONE.format(driver=driver, instead=INSTEAD[driver])

    return None


def _waits_in_c() -> bool:
    """psycopg chooses how it waits when it is imported."""

    waiting: Any = sys.modules.get("psycopg.waiting")

    return waiting is not None and waiting.wait is getattr(waiting, "wait_c", None)


def _has_callback() -> bool:
    """Whether psycogreen or the like has taught psycopg2 to wait."""

    extensions: Any = sys.modules.get("psycopg2.extensions")

    return extensions is not None and extensions.get_wait_callback() is not None
