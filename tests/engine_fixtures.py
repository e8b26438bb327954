"""Migrated databases of each kind, and workers on them.

A test module takes them with ``pytest_plugins = ["tests.engine_fixtures"]`` and must not import
this one. Migrating a PostgreSQL database takes longer than most tests here, so one is made for all
of them and emptied in between.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url

from flask_chatstream import migrate
from flask_chatstream.models import metadata_for
from flask_chatstream.storage.engine import make_engine
from tests.engines import KINDS, end_connections
from tests.services import execute, need
from tests.workers import Worker


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our tables, to be copied."""

    path = tmp_path_factory.mktemp("migrated") / "chat.sqlite"
    engine = make_engine(f"sqlite:///{path}")
    migrate.upgrade(engine)
    engine.dispose()

    return path


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """A PostgreSQL database with our tables, for one test after the other."""

    yield from _migrated("postgres", "TEMPLATE template0 ENCODING 'UTF8'", " WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_mariadb() -> Iterator[str]:
    """A MariaDB database with our tables, for one test after the other.

    Of latin1, as Debian's server makes them: our tables do not rest on the default.
    """

    yield from _migrated("mariadb", "CHARACTER SET latin1", "")


def _migrated(service: str, how: str, force: str) -> Iterator[str]:
    server, name = need(service), f"chatstream_engine_{uuid.uuid4().hex[:12]}"
    execute(server, f"CREATE DATABASE {name} {how}")
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    engine = create_engine(url)
    migrate.upgrade(engine)
    engine.dispose()

    yield url

    execute(server, f"DROP DATABASE {name}{force}")


def _emptied(url: str) -> str:
    dialect = make_url(url).get_backend_name()
    tables = [table.name for table in reversed(metadata_for(dialect).sorted_tables)]
    end_connections(url)
    execute(url, *(f"DELETE FROM {name}" for name in tables))

    return url


@pytest.fixture
def migrated_sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A fresh SQLite file with our tables."""

    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'chat.sqlite')}"


@pytest.fixture
def migrated_postgres_url(migrated_postgres: str) -> str:
    """A PostgreSQL database with our tables and no rows."""

    return _emptied(migrated_postgres)


@pytest.fixture
def migrated_mariadb_url(migrated_mariadb: str) -> str:
    """A MariaDB database with our tables and no rows."""

    return _emptied(migrated_mariadb)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On MariaDB run the tests that are marked ``every_database``: all would take minutes."""

    is_marked = metafunc.definition.get_closest_marker("every_database") is not None

    if "migrated_url" in metafunc.fixturenames:
        metafunc.parametrize("migrated_url", KINDS if is_marked else KINDS[:2], indirect=True)

    if "stored" in metafunc.fixturenames and is_marked:
        metafunc.parametrize("stored", ["embedded", *KINDS[1:]], indirect=True)


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A database with our tables and no rows, of each kind that every promise holds on."""

    url: str = request.getfixturevalue(f"migrated_{request.param}_url")

    return url


@pytest.fixture
def stored(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a host of the views: its embedded database, or a server's where marked."""

    kind = getattr(request, "param", "embedded")

    if kind == "embedded":
        return {}

    return {"CHATSTREAM_DATABASE_URI": request.getfixturevalue(f"migrated_{kind}_url")}


@pytest.fixture(params=KINDS[1:])
def server_url(request: pytest.FixtureRequest) -> str:
    """A database with our tables and no rows, on each kind of server."""

    url: str = request.getfixturevalue(f"migrated_{request.param}_url")

    return url


@pytest.fixture
def make_worker() -> Iterator[Callable[..., Worker]]:
    """Makes workers: ``make_worker(url, lease_seconds=1.0)``. Two on one url are two processes."""

    workers: list[Worker] = []

    def make(url: str, **settings: Any) -> Worker:
        workers.append(Worker(url, **settings))

        return workers[-1]

    yield make

    for worker in workers:
        worker.close()


@pytest.fixture
def worker(migrated_url: str, make_worker: Callable[..., Worker]) -> Worker:
    """The engine of a process."""

    return make_worker(migrated_url)
