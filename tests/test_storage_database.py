"""The door to the database: one transaction per write, honest errors, and who waits for whom."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import create_engine, event, make_url, select, text
from sqlalchemy.exc import IntegrityError

from flask_chatstream.concurrency import spawn
from flask_chatstream.conversations import create_conversation
from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.models import Conversation
from flask_chatstream.storage import Database, now
from flask_chatstream.storage.engine import make_engine
from tests.engines import KINDS, end_connections
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = pytest.mark.every_database


@pytest.fixture
def database(worker):
    return worker.database


def put(connection, title="One"):
    return create_conversation(connection, "ann", "chatstream", title=title)


def titles(database):
    with database.read() as session:
        return sorted(session.scalars(select(Conversation.title)))


def test_a_write_has_committed_when_it_returns(database):
    id = database.write(put, title="One")

    assert titles(database) == ["One"] and len(id) == 32


def test_a_job_that_raises_leaves_nothing(database):
    def job(connection):
        put(connection)
        raise KeyError("job broke")

    with pytest.raises(KeyError, match="job broke"):
        database.write(job)

    assert titles(database) == []
    database.write(put, title="After")
    assert titles(database) == ["After"]


def test_a_broken_rule_is_told_as_it_is(database):
    id = database.write(put)

    def again(connection):
        row = connection.execute(select(Conversation.__table__)).one()._asdict()
        connection.execute(Conversation.__table__.insert().values(row))

    with pytest.raises(IntegrityError):
        database.write(again)

    assert len(titles(database)) == 1 and id


def test_writes_from_many_threads_all_arrive(database):
    errors = []

    def write(n):
        try:
            database.write(put, title=f"{n:03}")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(40)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(30)

    assert errors == []
    assert titles(database) == [f"{n:03}" for n in range(40)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_without_our_tables_is_unavailable_in_words(kind, request):
    engine = make_engine(request.getfixturevalue(f"{kind}_url"))
    database = Database(engine)

    with pytest.raises(StorageUnavailable), database.read() as session:
        session.scalars(select(Conversation.id)).all()

    with pytest.raises(StorageUnavailable):
        database.write(put)

    engine.dispose()


def test_a_server_that_is_not_there_is_unavailable():
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    database = Database(engine)

    with pytest.raises(StorageUnavailable):
        database.write(put)

    with pytest.raises(StorageUnavailable), database.read() as session:
        session.scalar(select(1))


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path):
    database = Database(create_engine(f"sqlite:///{tmp_path / 'no folder' / 'chat.sqlite'}"))

    with pytest.raises(StorageUnavailable):
        database.write(put)

    with pytest.raises(StorageUnavailable), database.read() as session:
        session.scalar(select(1))


def test_a_read_only_database_is_unavailable(migrated_url):
    if migrated_url.startswith("sqlite"):
        path = migrated_url.removeprefix("sqlite:///")
        engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    else:
        options = {
            "postgresql+psycopg": {"options": "-c default_transaction_read_only=on"},
            "mysql+pymysql": {"init_command": "SET SESSION TRANSACTION READ ONLY"},
        }
        driver = make_url(migrated_url).drivername
        engine = create_engine(migrated_url, connect_args=options[driver])

    with pytest.raises(StorageUnavailable):
        Database(engine).write(put)

    engine.dispose()


@pytest.mark.parametrize("act", ["read", "write"])
def test_an_exhausted_pool_is_unavailable(server_url, act):
    engine = create_engine(server_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    database = Database(engine)

    with engine.connect(), pytest.raises(StorageUnavailable):
        if act == "write":
            database.write(put)
        else:
            with database.read() as session:
                session.scalar(select(1))

    engine.dispose()


def test_a_deadlock_is_repeated(server_url, make_worker):
    database = make_worker(server_url).database
    ids = sorted(database.write(put, title=t) for t in "ab")
    both, tries = threading.Barrier(2), []

    def rename(connection, order, title):
        tries.append(title)

        for n, id in enumerate(order):
            connection.execute(
                text("UPDATE chatstream_conversation SET title = :title WHERE id = :id"),
                {"title": title, "id": id},
            )

            if n == 0 and len(tries) <= 2:
                both.wait(10)

    threads = [
        threading.Thread(target=database.write, args=(rename, order, title))
        for order, title in ((ids, "up"), (ids[::-1], "down"))
    ]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(20)

    assert len(tries) >= 3
    assert titles(database) in (["up", "up"], ["down", "down"])


def test_a_lock_that_the_server_gives_up_waiting_for_is_asked_for_again(server_url):
    options = {
        "postgresql+psycopg": {"options": "-c lock_timeout=200"},
        "mysql+pymysql": {"init_command": "SET innodb_lock_wait_timeout = 1"},
    }
    driver = make_url(server_url).drivername
    engine = create_engine(server_url, connect_args=options[driver])
    database = Database(engine)
    id = database.write(put, title="Before")
    rename = text("UPDATE chatstream_conversation SET title = :title WHERE id = :id")
    tries = []

    with engine.connect() as holder:
        holder.execute(rename, {"title": "Held", "id": id})

        def job(connection):
            tries.append(id)

            if len(tries) == 2:
                holder.rollback()

            connection.execute(rename, {"title": "After", "id": id})

        database.write(job)

    assert (len(tries), titles(database)) == (2, ["After"])
    engine.dispose()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_every_transaction_is_read_committed_whatever_the_host_says(server_url, level):
    """MariaDB tells it of the session's next transactions, not of the one that runs."""

    engine = create_engine(server_url, isolation_level=level)
    database = Database(engine)
    mariadb = "SELECT REPLACE(LOWER(@@SESSION.tx_isolation), '-', ' ')"
    shown = "SHOW transaction_isolation" if database.dialect == "postgresql" else mariadb

    def job(connection):
        return connection.scalar(text(shown))

    assert database.write(job) == "read committed"

    with database.read() as session:
        assert session.scalar(text(shown)) == "read committed"

    engine.dispose()


def test_the_clock_is_the_databases(database, monkeypatch):
    with database.read() as session:
        here = now(session)

    assert here.tzinfo is UTC
    assert abs(here - datetime.now(UTC)) < timedelta(seconds=30)

    with database.engine.connect() as connection:
        first = now(connection)
        # Two looks may fall into one microsecond.
        wait_for(lambda: now(connection) > first)


def test_the_clock_of_a_server_in_another_time_zone_is_utc(server_url):
    options = {
        "postgresql+psycopg": {"options": "-c timezone=Pacific/Auckland"},
        "mysql+pymysql": {"init_command": "SET time_zone = '+12:00'"},
    }
    connect_args = options[make_url(server_url).drivername]
    engine = create_engine(server_url, connect_args=connect_args)

    with engine.connect() as connection:
        moment = now(connection)

    assert moment.tzinfo is UTC
    assert abs(moment - datetime.now(UTC)) < timedelta(seconds=30)
    engine.dispose()


def test_mariadb_writes_reads_and_tells_the_time(migrated_mariadb_url, make_worker):
    database = make_worker(migrated_mariadb_url).database
    database.write(put, title="Ünï 🌍")

    assert titles(database) == ["Ünï 🌍"]

    with database.read() as session:
        assert abs(now(session) - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_write_reads_nothing_stale_on_sqlite(migrated_sqlite_url, make_worker):
    """A transaction that reads before it writes fails at once when another has written (L1)."""

    workers = [make_worker(migrated_sqlite_url) for _ in range(2)]
    id = workers[0].database.write(put)
    count = "UPDATE chatstream_conversation SET message_count = :n WHERE id = :id"

    def add(connection):
        found = connection.scalar(text("SELECT message_count FROM chatstream_conversation"))
        connection.execute(text(count), {"n": found + 1, "id": id})

    def work(worker):
        for _ in range(50):
            worker.database.write(add)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(30)

    with workers[0].database.read() as session:
        assert session.scalar(select(Conversation.message_count)) == 100


@pytest.mark.parametrize("listener", [False, True])
def test_a_hosts_engine_that_begins_transactions_itself_will_do(migrated_sqlite_url, listener):
    """SQLAlchemy's own recipe for SQLite: no implicit transactions, and BEGIN by an event."""

    engine = create_engine(migrated_sqlite_url)

    if listener:

        @event.listens_for(engine, "connect")
        def connect(connection, record):
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection):
            connection.exec_driver_sql("BEGIN")

    database = Database(engine)
    database.write(put, title="One")
    database.write(put, title="Two")

    assert titles(database) == ["One", "Two"]
    engine.dispose()


LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
print("free", flush=True)
"""


def _stall(url, database, seconds):
    """How long everything else stood still while a write waited for another process's lock."""

    arguments = [sys.executable, "-c", LOCKER, url.removeprefix("sqlite:///"), str(seconds)]
    ticks, done = [], []

    def tick():
        while not done:
            ticks.append(time.monotonic())
            time.sleep(0.002)

    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as locker:
        assert locker.stdout.readline() == "locked\n"
        spawn(tick)
        started = time.monotonic()
        database.write(put)
        waited = time.monotonic() - started
        done.append(True)

    return waited, max(b - a for a, b in pairwise(ticks))


def test_a_lock_of_another_process_is_waited_for_and_stalls_nobody(
    migrated_sqlite_url, make_worker
):
    """F15. A busy machine may stall a tick by itself, so one round of three without is enough."""

    database = make_worker(migrated_sqlite_url).database
    stalls = []

    for seconds in (3.0, 1.0, 1.0):
        waited, stall = _stall(migrated_sqlite_url, database, seconds)
        assert waited > seconds * 0.8
        stalls.append(stall)

        if stall < 0.1:
            break

    assert min(stalls) < 0.1
    assert len(titles(database)) == len(stalls)


def test_a_lock_that_is_not_released_is_unavailable_and_then_over(
    migrated_sqlite_url, make_worker, monkeypatch
):
    monkeypatch.setattr("flask_chatstream.storage.rounds.BUSY_MS", 50)
    database = make_worker(migrated_sqlite_url).database
    other = sqlite3.connect(migrated_sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageUnavailable):
        database.write(put)

    other.execute("COMMIT")
    other.close()
    database.write(put, title="After")
    assert titles(database) == ["After"]


FULL = """
import resource, signal, sys
from flask_chatstream.errors import StorageUnavailable
from tests.workers import Worker

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
worker = Worker(sys.argv[1])
first = worker.answer()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

try:
    worker.ask("x" * 100_000)
except StorageUnavailable:
    print("unavailable")

resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
asked = worker.answer("y" * 100_000)
print(worker.message(asked).status, worker.rows()["chatstream_message"])
worker.close()
"""


def test_a_full_disk_is_unavailable_and_space_heals_it(migrated_sqlite_url):
    """F17, with a limit of the file's size in place of a full disk."""

    from tests.workers import run_python

    printed = run_python(FULL, migrated_sqlite_url, patched=False)

    assert printed.split("\n")[:2] == ["unavailable", "completed 4"]


def test_a_terminated_connection_costs_one_write_at_most(server_url, make_worker):
    worker = make_worker(server_url)
    worker.database.write(put, title="Before")
    end_connections(server_url)

    def written():
        try:
            return worker.database.write(put, title="After")
        except StorageUnavailable:
            return None

    wait_for(written)
    assert titles(worker.database) == ["After", "Before"]


@pytest.mark.db
def test_power_is_power_on_a_server_that_answers_early(postgres_url: str) -> None:
    engine = create_engine(postgres_url, connect_args={"options": "-c synchronous_commit=off"})
    shown = "SELECT current_setting('synchronous_commit')"
    levels = {}

    for durability in ("power", "process"):
        database = Database(engine, durability=durability)
        levels[durability] = database.write(lambda c: c.exec_driver_sql(shown).scalar())
        database.writer.close()

    engine.dispose()

    assert levels == {"power": "on", "process": "off"}
