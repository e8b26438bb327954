"""The real things that tests run against: which of them this machine has, and where.

A test asks with `need`. What is missing skips the test with a reason that names it; with
``CHATSTREAM_REQUIRE_ALL=1`` it fails instead, so that a green run of ``.ci/run`` left nothing out.
"""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MARIADB_SOCKET = Path("/run/mysqld/mysqld.sock")


def need(name: str) -> str:
    """The address of a service: a path or a URL.

    ``name`` is one of `SERVICES`. Skips or fails the test when this machine does not have it.
    """

    address = _find(name)

    return address if address is not None else missing(name)


def missing(what: str, why: str = "not found") -> NoReturn:
    """Skip the test for want of something, or fail it where nothing may be skipped."""

    reason = f"{what}: {why}"

    if os.environ.get("CHATSTREAM_REQUIRE_ALL") == "1":
        pytest.fail(f"CHATSTREAM_REQUIRE_ALL=1, but {reason}")

    pytest.skip(reason)


def execute(url: str, *statements: str) -> None:
    """Run statements on a database server, each on its own (``CREATE DATABASE`` wants that)."""

    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


@contextmanager
def fresh_postgres() -> Iterator[str]:
    """A database of its own on PostgreSQL, dropped afterwards."""

    server, name = need("postgres"), _database_name()
    # template0, because template1 cannot be copied while anybody is connected to it.
    execute(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")

    yield _at(server, name)

    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def fresh_mariadb() -> Iterator[str]:
    """A database of its own on MariaDB, dropped afterwards."""

    server, name = need("mariadb"), _database_name()
    execute(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")

    yield _at(server, name)

    execute(server, f"DROP DATABASE {name}")


def _database_name() -> str:
    return f"chatstream_test_{uuid.uuid4().hex[:12]}"


def _at(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


@cache
def _find(name: str) -> str | None:
    return SERVICES[name]()


def _find_axe() -> str | None:
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"

    return str(path) if path.is_file() else None


def _find_chromium() -> str | None:
    names = (os.environ.get("CHATSTREAM_TEST_CHROMIUM"), *CHROMIUM_NAMES)

    return next((path for name in names if name and (path := shutil.which(name))), None)


def _find_nginx() -> str | None:
    return _which("nginx")


def _find_pgbouncer() -> str | None:
    return _which("pgbouncer")


def _which(program: str) -> str | None:
    # Debian keeps servers where only root's PATH leads.
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def _find_postgres() -> str | None:
    given = os.environ.get("CHATSTREAM_TEST_POSTGRES")
    default = "postgresql://postgres@127.0.0.1:5432/postgres"
    url = make_url(given or default).set(drivername="postgresql+psycopg")

    return _if_answers(url.update_query_dict({"connect_timeout": "3"}, append=False))


def _find_mariadb() -> str | None:
    given = os.environ.get("CHATSTREAM_TEST_MARIADB")

    if given:
        return _if_answers(make_url(given).set(drivername="mysql+pymysql"))

    url = make_url("mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4&connect_timeout=3")
    by_socket = url.set(port=None).update_query_dict({"unix_socket": str(MARIADB_SOCKET)})

    return _if_answers(url) or (_if_answers(by_socket) if MARIADB_SOCKET.exists() else None)


def _find_redis() -> str | None:
    url = make_url(os.environ.get("CHATSTREAM_TEST_REDIS", "redis://127.0.0.1:6379/15"))
    # Tests that run at once must not hear each other.
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = url.set(database=str(int(url.database or 0) - number))
    shown = mine.render_as_string(hide_password=False)

    return shown if _says(shown, 6379, b"PING\r\n", b"+PONG") else None


def _find_pyright() -> str | None:
    path = ROOT / "node_modules" / "pyright" / "index.js"

    return str(path) if path.is_file() else None


def _find_rabbitmq() -> str | None:
    url = os.environ.get("CHATSTREAM_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")

    # The first frame of a broker that speaks AMQP 0-9-1 is a method frame on channel 0.
    return url if _says(url, 5672, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00") else None


def _if_answers(url: URL) -> str | None:
    shown = url.render_as_string(hide_password=False)

    try:
        execute(shown, "SELECT 1")
    except (ImportError, SQLAlchemyError):
        return None

    return shown


def _says(url: str, port: int, question: bytes, answer: bytes) -> bool:
    parts = make_url(url)

    with suppress(OSError):
        address = (parts.host or "127.0.0.1", parts.port or port)

        with socket.create_connection(address, timeout=3) as connection:
            connection.sendall(question)

            return connection.recv(len(answer)) == answer

    return False


SERVICES: dict[str, Callable[[], str | None]] = {
    "axe": _find_axe,
    "chromium": _find_chromium,
    "mariadb": _find_mariadb,
    "nginx": _find_nginx,
    "pgbouncer": _find_pgbouncer,
    "postgres": _find_postgres,
    "pyright": _find_pyright,
    "rabbitmq": _find_rabbitmq,
    "redis": _find_redis,
}
