"""Sites whose engine is set up in a way of its own: pools, isolation, listeners, a search path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, NullPool, event

from flask_chatstream import ChatStream, migrate
from flask_chatstream.providers.scripted import ScriptedProvider
from tests.hosts import chat
from tests.hosts.site import tables
from tests.services import execute

OPTIONS: dict[str, dict[str, Any]] = {
    "no pool": {"poolclass": NullPool},
    "a pool of one": {"pool_size": 1, "max_overflow": 0, "pool_timeout": 5},
    "autocommit": {"isolation_level": "AUTOCOMMIT"},
    "serializable": {"isolation_level": "SERIALIZABLE"},
    "translated": {"execution_options": {"schema_translate_map": {"shop": None}}},
    "hidden parameters": {"hide_parameters": True, "query_cache_size": 0},
}


def _listen_to_begin(engine: Engine) -> None:
    """SQLAlchemy's recipe for savepoints on SQLite."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


def _listen_to_connect(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.row_factory = None


def _comment_statements(engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def comment(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
        return f"{statement} /* of the site */", parameters


@pytest.fixture
def clients() -> Iterator[list[FlaskClient]]:
    """What a test has built; closed after it."""

    made: list[FlaskClient] = []

    yield made

    for client in made:
        app = client.application
        app.extensions["chatstream"].close()

        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()


def _build(
    folder: Path, url: str, clients: list[FlaskClient], options: dict[str, Any], prepare: Any = None
) -> SQLAlchemy:
    app = Flask("site", instance_path=str(folder / "instance"))
    app.config.update(SECRET_KEY="x", TESTING=True, SQLALCHEMY_DATABASE_URI=url)
    db = SQLAlchemy(app, engine_options=options)
    app.register_blueprint(ChatStream(provider=ScriptedProvider()))
    clients.append(app.test_client())

    if prepare is not None:
        with app.app_context():
            prepare(db.engine)

    return db


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_an_engine_with_options(
    tmp_path: Path, database_url: str, clients: list[FlaskClient], options: dict[str, Any]
) -> None:
    _build(tmp_path, database_url, clients, options)

    for words in ("one", "two"):
        assert chat(clients[0], words)["content"] == "A scripted answer."


@pytest.mark.parametrize(
    "prepare", [_listen_to_begin, _listen_to_connect, _comment_statements], ids=lambda f: f.__name__
)
def test_an_engine_with_listeners(
    tmp_path: Path, sqlite_url: str, clients: list[FlaskClient], prepare: Any
) -> None:
    _build(tmp_path, sqlite_url, clients, {}, prepare)

    for words in ("one", "two"):
        assert chat(clients[0], words)["content"] == "A scripted answer."


def test_a_site_that_lives_in_another_schema_by_its_search_path(
    tmp_path: Path, postgres_url: str, clients: list[FlaskClient]
) -> None:
    execute(postgres_url, "CREATE SCHEMA site", "DROP SCHEMA public")
    options = {"connect_args": {"options": "-csearch_path=site"}}
    db = _build(tmp_path, postgres_url, clients, options)
    assert chat(clients[0])["content"] == "A scripted answer."

    with clients[0].application.app_context():
        assert tables(db.engine) == migrate.our_tables()
        db.drop_all()
        assert tables(db.engine) == set()
