"""The database servers that rows are measured on, where this machine has them."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psutil

POSTGRES = os.environ.get("CHATSTREAM_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
REDIS = os.environ.get("CHATSTREAM_BENCH_REDIS", "redis://127.0.0.1:6379/9")


def has_postgres() -> bool:
    """Whether PostgreSQL takes our connections."""

    import psycopg

    with suppress(psycopg.Error):
        psycopg.connect(f"{POSTGRES}/postgres", connect_timeout=3).close()

        return True

    return False


def has_redis() -> bool:
    """Whether somebody answers at Redis's address."""

    address = urlsplit(REDIS)

    with suppress(OSError):
        socket.create_connection((address.hostname or "", address.port or 6379), 3).close()

        return True

    return False


@contextmanager
def fresh_postgres() -> Iterator[str]:
    """The address of an empty database on the server `POSTGRES`, dropped afterwards."""

    import psycopg

    name = f"chatstream_bench_{uuid.uuid4().hex[:12]}"

    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")

    yield f"{POSTGRES.replace('postgresql://', 'postgresql+psycopg://')}/{name}"

    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def postmasters() -> list[psutil.Process]:
    """The first processes of the PostgreSQL servers of this machine."""

    found = [p for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres"]
    pids = {process.pid for process in found}

    return [process for process in found if process.ppid() not in pids]
