"""One upgrade at a time, and a connection that goes back as it came."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, event, func, select

from flask_chatstream import StorageUnavailable, migrate
from flask_chatstream.migrate.drift import find_drift
from flask_chatstream.migrate.locks import locked
from flask_chatstream.models import Conversation, Message
from flask_chatstream.storage import embedded_engine
from tests.engines import KINDS, address, open_engine, run_together


@pytest.fixture(params=KINDS)
def engine(request):
    yield from open_engine(request)


def test_four_processes_upgrade_at_once(engine):
    errors = run_together(
        "from sqlalchemy import create_engine\n"
        "flask_chatstream.migrate.upgrade(create_engine(sys.argv[1]))",
        address(engine),
    )

    assert errors == []
    assert migrate.is_current(engine)


#: A worker of a site, as its server starts it: the first request finds no table.
FIRST_REQUEST = """
from flask import Flask
from flask_chatstream import ChatStream

app = Flask("site", instance_path=sys.argv[2])
app.config.update(SECRET_KEY="x", CHATSTREAM_DATABASE_URI=sys.argv[1])
chat = ChatStream(provider="demo")
chat.owner_loader(lambda: "ann")
app.register_blueprint(chat)
body = {"message": "Hi", "stream": False}
answer = app.test_client().post("/chat/api/v1/chat", json=body)
assert answer.status_code == 200, answer.text
assert answer.get_json()["status"] == "completed", answer.text
app.extensions["chatstream"].close()
"""


def test_the_first_questions_of_four_workers_are_all_answered(engine, tmp_path):
    assert run_together(FIRST_REQUEST, address(engine), str(tmp_path)) == []

    with engine.connect() as connection:
        assert find_drift(connection) == []
        assert connection.scalar(select(func.count()).select_from(Conversation)) == 4
        statuses = connection.scalars(select(Message.status).where(Message.role == "assistant"))
        assert statuses.all() == ["completed"] * 4


def test_four_commands_that_go_up_and_down_leave_one_state(engine):
    errors = run_together(
        "from sqlalchemy import create_engine\n"
        "engine = create_engine(sys.argv[1])\n"
        "flask_chatstream.migrate.upgrade(engine)\n"
        "flask_chatstream.migrate.downgrade(engine, 'base')\n"
        "flask_chatstream.migrate.upgrade(engine)",
        address(engine),
    )

    assert errors == []

    with engine.connect() as connection:
        assert find_drift(connection) == []

    migrate.check(engine)


def test_threads_that_come_first_make_one_upgrade(engine):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: migrate.ensure(engine, automatic=True), range(8)))

    assert migrate.is_current(engine)


def test_greenlets_of_a_process_that_was_patched_late(engine):
    errors = run_together(
        "from gevent import joinall, monkey, spawn\n"
        "monkey.patch_all()\n"
        "from sqlalchemy import create_engine\n"
        "engine = create_engine(sys.argv[1])\n"
        "ensure = flask_chatstream.migrate.ensure\n"
        "tasks = [spawn(ensure, engine, automatic=True) for _ in range(20)]\n"
        "joinall(tasks, timeout=30, raise_error=True)\n"
        "assert all(task.successful() for task in tasks)",
        address(engine),
        count=2,
    )

    assert errors == []
    assert migrate.is_current(engine)


def test_a_lock_that_is_held_is_not_waited_for_without_end(engine):
    other = create_engine(engine.url)

    with (
        locked(engine, 1),
        pytest.raises(StorageUnavailable, match="could not be locked"),
        locked(other, 1),
    ):
        raise AssertionError("both have the lock")

    with locked(other, 1):
        pass

    other.dispose()


@pytest.mark.db
def test_databases_of_one_mariadb_do_not_wait_for_each_other(mariadb_url):
    first = create_engine(mariadb_url)
    second = create_engine(first.url.set(database="information_schema"))

    with locked(first, 1), locked(second, 1):
        pass

    first.dispose()
    second.dispose()


def test_sqlite_of_a_host_that_begins_by_itself(sqlite_url):
    engine = create_engine(sqlite_url)

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")

    migrate.upgrade(engine)
    migrate.check(engine)
    migrate.downgrade(engine, "base")
    engine.dispose()


def test_the_connection_goes_back_as_it_came(tmp_path):
    engine = embedded_engine(tmp_path)

    def settings():
        with engine.connect() as connection:
            return [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("busy_timeout", "foreign_keys", "journal_mode")
            ]

    before = settings()
    migrate.upgrade(engine)
    migrate.downgrade(engine, "base")
    assert settings() == before == [5000, 1, "wal"]
    engine.dispose()
