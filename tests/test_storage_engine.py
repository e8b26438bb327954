"""Engines that the package makes for itself."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import SingletonThreadPool

from flask_chatstream.storage import embedded_engine, temporary_engine
from flask_chatstream.storage.engine import is_in_memory, make_engine
from tests.pgbouncer import run_pgbouncer

REST = "flask_chatstream.storage.engine.REST_SECONDS"


def pragma(engine, name):
    with engine.connect() as connection:
        return connection.scalar(text(f"PRAGMA {name}"))


def test_the_embedded_file_is_made_with_its_folder_in_wal_mode(tmp_path):
    engine = embedded_engine(tmp_path / "deep" / "instance")

    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "busy_timeout") == 5_000
    assert (tmp_path / "deep" / "instance" / "chatstream.sqlite3").is_file()
    engine.dispose()


def test_a_temporary_file_goes_with_its_engine():
    engine = temporary_engine()
    path = Path(engine.url.database)
    assert pragma(engine, "journal_mode") == "wal"
    assert path.is_file()

    engine.dispose()
    del engine
    gc.collect()
    assert not path.parent.exists()


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:shared?mode=memory&cache=shared&uri=true",
    ],
)
def test_a_database_in_memory_is_known(uri):
    assert is_in_memory(create_engine(uri, poolclass=SingletonThreadPool))


@pytest.mark.parametrize("uri", ["sqlite:////srv/site.sqlite", "sqlite:///file:site.db?uri=true"])
def test_a_file_is_not_in_memory(uri):
    assert not is_in_memory(create_engine(uri))


@pytest.mark.db
def test_a_server_is_not_in_memory(postgres_url):
    engine = make_engine(postgres_url)
    assert not is_in_memory(engine)
    engine.dispose()


def end_sessions(url):
    """Have the server end all other sessions of its database."""

    ends = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    other = create_engine(url)

    with other.connect() as connection:
        connection.execute(text(ends)).all()

    other.dispose()


def test_a_connection_that_has_rested_is_asked_whether_it_lives(postgres_url, monkeypatch):
    engine = make_engine(postgres_url)

    def ask():
        with engine.connect() as connection:
            return connection.scalar(text("SELECT 1"))

    monkeypatch.setattr(REST, 0.0)
    assert ask() == 1
    end_sessions(postgres_url)
    assert ask() == 1

    monkeypatch.setattr(REST, 60.0)
    end_sessions(postgres_url)

    with pytest.raises(OperationalError):
        ask()

    assert ask() == 1
    engine.dispose()


@pytest.mark.db
def test_an_address_says_that_nothing_is_prepared_behind_a_pooler(postgres_url, tmp_path):
    """PgBouncer gives a statement to a session in which it was never prepared, or twice."""

    with run_pgbouncer(postgres_url, tmp_path) as url:
        said = make_url(url).update_query_dict({"prepare_threshold": "none"})
        engine = make_engine(said.render_as_string(hide_password=False))

        with engine.connect() as first, engine.connect() as second:
            for _ in range(8):
                for connection in (first, second):
                    assert connection.scalar(text("SELECT CAST(:n AS integer)"), {"n": 7}) == 7
                    connection.commit()

        engine.dispose()
