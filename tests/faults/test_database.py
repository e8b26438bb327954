"""Connections that go, locks, full disks, backups, missing tables, two releases: F12 to F21."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.engines import end_connections
from tests.services import ROOT, execute, missing, need

from .acts import answer_of, check_all, stop
from .checker import check_order
from .evidence import Case, Stored, read_stored_at
from .model import question, said
from .recorder import Recorder
from .rig import Rig, Setup, wait_until
from .viewers import API, StreamViewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SMALL_POOL = {"SQLALCHEMY_ENGINE_OPTIONS": {"pool_size": 2, "max_overflow": 0, "pool_timeout": 20}}
MEGABYTE = 1 << 20


def file_of(rig: Rig) -> str:
    """The path of an SQLite cell's file."""

    return str(make_url(rig.url).database)


@contextmanager
def meanwhile(act: Callable[[], None], seconds: float) -> Iterator[list[int]]:
    """Do something again and again, so often a second; how many times it was."""

    over, times = threading.Event(), [0]

    def run() -> None:
        while not over.wait(seconds):
            act()
            times[0] += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    try:
        yield times
    finally:
        over.set()
        thread.join(30)


@pytest.mark.faults
@pytest.mark.cells(only="postgres")
def test_F12_connections_are_ended_five_times_a_second(rig: Rig) -> None:
    """F12: a commit whose answer was lost is found, not repeated; nobody notices."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    chats = [recorder.ask(server, recorder.person(f"p{n}"), 900, 60) for n in range(3)]
    recorder.follow_all(server, chats[0])
    recorder.wait_shown(chats)

    with meanwhile(lambda: end_connections(rig.url), 0.2) as times:
        wait_until(lambda: times[0] >= 10 and all(chat.length() > 2000 for chat in chats), 60)

    case = check_all(recorder)

    assert times[0] >= 10
    assert {case.stored.messages[answer_of(chat)].status for chat in chats} == {"completed"}


@pytest.mark.cells("postgres-gevent")
def test_F14_no_viewer_holds_a_connection_while_it_waits(rig: Rig) -> None:
    """F14: 200 viewers, and a pool of two connections where the pool is the site's."""

    (server,) = rig.serve(1, setup=Setup(config=SMALL_POOL))
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 400, 3)
    size = 200 if rig.cell.server == "gevent" else 30
    viewers = [recorder.follow(StreamViewer, server, chat) for _ in range(size)]
    recorder.wait_shown(viewers)
    (pid,) = server.pids
    wait_until(lambda: server.inside()[pid]["streams"] == size + 1, 20)

    assert wait_until(lambda: server.inside()[pid]["pooled"] == 0, 20) is True
    stop(recorder, server, [chat])
    check_all(recorder)


@pytest.mark.faults
def test_F15_locked_by_another_process(rig: Rig) -> None:
    """F15: for three seconds, three times; nobody is told, and the event loop goes on."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 1200, 100)
    recorder.follow_all(server, chat)
    recorder.wait_shown([chat])
    stalls = []

    for _ in range(3):
        with locked(rig):
            until = time.monotonic() + 3

            while time.monotonic() < until:
                stalls.append(server.wait_alive())

        seen = chat.length()
        wait_until(lambda: chat.length() > seen or chat.done.is_set(), 10)  # noqa: B023

    case = check_all(recorder)

    assert {exchange.status for exchange in case.exchanges} <= {200, 201}
    # A busy machine stalls a request now and then by itself, a lock would stall it for 3 s.
    assert statistics.median(stalls) < 0.1
    assert max(stalls) < 2


LOCKS = {
    "postgres": "LOCK TABLE chatstream_chunk IN EXCLUSIVE MODE",
    "mariadb": "LOCK TABLES chatstream_chunk READ",
}


@contextmanager
def locked(rig: Rig) -> Iterator[None]:
    """Somebody else writes, and takes their time."""

    if rig.cell.database not in LOCKS:
        connection = sqlite3.connect(file_of(rig), isolation_level=None, timeout=20)
        connection.execute("BEGIN EXCLUSIVE")

        try:
            yield
        finally:
            connection.execute("COMMIT")
            connection.close()

        return

    engine = create_engine(rig.url)

    with engine.begin() as transaction:
        transaction.execute(text(LOCKS[rig.cell.database]))
        yield

    engine.dispose()


@pytest.mark.faults
def test_F16_F18_many_writers_for_long(rig: Rig) -> None:
    """F16: eight answers in two processes for half a minute, and nobody hears of a lock. F18: the
    log stays small, and no transaction outlives a look."""

    servers = rig.serve(1, 1)
    recorder = Recorder(rig)
    chats = [recorder.ask(servers[n % 2], recorder.person(f"p{n}"), 2400, 80) for n in range(8)]

    for n, chat in enumerate(chats):
        recorder.follow_all(servers[(n + 1) % 2], chat, each=2)

    sizes, pause = [], threading.Event()

    while not all(chat.done.is_set() for chat in chats):
        sizes.append(size_of_log(rig))
        pause.wait(0.25)

    case = check_all(recorder)

    assert {case.stored.messages[answer_of(chat)].status for chat in chats} == {"completed"}
    assert {exchange.status for exchange in case.exchanges} <= {200, 201}
    assert all("database is locked" not in server.read_log() for server in servers)
    assert max(sizes) < 16 * MEGABYTE


OLDEST = {
    "postgres": "SELECT max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mariadb": "SELECT max(timestampdiff(SECOND, t.trx_started, now()))"
    " FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE p.db = database() AND p.id <> connection_id()",
}


def size_of_log(rig: Rig) -> int:
    """Bytes of the write-ahead log; where a server keeps it, seconds of the oldest transaction."""

    if rig.cell.database not in OLDEST:
        return os.path.getsize(file_of(rig) + "-wal")

    engine = create_engine(rig.url)

    with engine.connect() as connection:
        oldest = connection.execute(text(OLDEST[rig.cell.database])).scalar() or 0

    engine.dispose()
    assert oldest < 5

    return 0


@pytest.mark.cells("embedded-gthread", only="sqlite")
def test_F17_the_disk_is_full(rig: Rig) -> None:
    """F17: a limit of the file's size in place of a full disk. What was shown is there, a question
    is refused in words, and with space all goes on."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 4000, 100)
    recorder.follow_all(server, chat)
    recorder.wait_shown([chat], 100)
    worker = psutil.Process(server.pids[0])
    full = max(os.path.getsize(path) for path in (file_of(rig), file_of(rig) + "-wal"))
    worker.rlimit(psutil.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    client = recorder.client(server, ada)
    asked = {"message": question(ada.tag(), 20, 100), "stream": False}
    refused = client.request("POST", f"{API}/chat", asked)
    read = client.request("GET", f"{API}/conversations/{chat.conversation_id}/messages")
    worker.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = client.request("POST", f"{API}/chat", asked)
    stop(recorder, server, [chat])
    check_all(recorder)

    assert (refused.status, refused.json()["error"]["code"]) == (503, "storage_unavailable")
    assert read.status == 200
    assert (again.status, again.json()["status"]) == (200, "completed")


@pytest.mark.cells("embedded-gthread")
def test_F19_a_table_is_gone(rig: Rig) -> None:
    """F19: 503 in plain words for pages and the API, and nothing half done when it is back."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 300, 100)
    recorder.wait_shown([chat], 50)
    client = recorder.client(server, ada)
    asked = {"message": question(ada.tag(), 20, 100), "stream": False}
    execute(rig.url, "ALTER TABLE chatstream_message RENAME TO chatstream_elsewhere")
    page = client.request("GET", f"/chat/c/{chat.conversation_id}")
    refused = client.request("POST", f"{API}/chat", asked)
    execute(rig.url, "ALTER TABLE chatstream_elsewhere RENAME TO chatstream_message")
    again = client.request("POST", f"{API}/chat", asked)
    check_all(recorder)

    assert (page.status, refused.status) == (503, 503)
    assert b"chatstream_message" not in page.body + refused.body
    assert again.json()["status"] == "completed"


@pytest.mark.faults
@pytest.mark.cells(only="sqlite postgres")
def test_F20_backups_while_it_is_written(rig: Rig, tmp_path: Path) -> None:
    """F20: every copy is whole in itself, and holds a prefix of each answer."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    chats = [recorder.ask(server, recorder.person(f"p{n}"), 250, 80) for n in range(3)]
    recorder.wait_shown(chats)
    copies: list[Stored] = []
    copy = copy_of_server if rig.cell.database == "postgres" else copy_of_file

    with meanwhile(lambda: copies.append(copy(rig, tmp_path)), 0.5):
        case = check_all(recorder)

    assert len(copies) >= 2

    for stored in copies:
        assert list(check_order(Case(stored))) == []

        for message in stored.messages.values():
            whole = case.stored.messages[message.id].text
            assert whole.startswith(message.text)


def copy_of_file(rig: Rig, folder: Path) -> Stored:
    """SQLite's own online backup."""

    path = folder / f"copy-{time.monotonic_ns()}.sqlite3"

    with sqlite3.connect(file_of(rig)) as source, sqlite3.connect(path) as target:
        source.backup(target, pages=16, sleep=0.001)
        assert target.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    source.close()
    target.close()

    return read_stored_at(f"sqlite:///{path}")


def copy_of_server(rig: Rig, folder: Path) -> Stored:
    """``pg_dump``, restored into a database of its own."""

    name = f"chatstream_copy_{time.monotonic_ns()}"
    server = need("postgres")
    copy = make_url(server).set(database=name).render_as_string(hide_password=False)
    execute(server, f"CREATE DATABASE {name}")

    try:
        dumped = run_psql("pg_dump", rig.url, b"")
        run_psql("psql", copy, dumped, "--quiet", "--set=ON_ERROR_STOP=1")

        return read_stored_at(copy)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def run_psql(program: str, url: str, stdin: bytes, *arguments: str) -> bytes:
    """What a program of PostgreSQL's prints."""

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    path = shutil.which(program) or missing(program)
    done = subprocess.run([path, plain, *arguments], input=stdin, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr

    return done.stdout


#: What a next release may do: a column more, which this one does not know.
NEXT = '''
"""What the next release adds."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{head}", None, None


def upgrade() -> None:
    op.add_column("chatstream_message", sa.Column("mood", sa.String(20), nullable=True))


def downgrade() -> None:
    op.drop_column("chatstream_message", "mood")
'''


@pytest.mark.faults
def test_F21_two_releases_side_by_side(rig: Rig, tmp_path: Path) -> None:
    """F21: the next one comes up and adds a column while this one writes; each shows the other's
    answers to the end."""

    (old,) = rig.serve(1)
    recorder = Recorder(rig)
    ada, grace = recorder.person("ada"), recorder.person("grace")
    first = recorder.ask(old, ada, 1500, 50)
    recorder.wait_shown([first])
    (new,) = rig.serve(1, setup=Setup(home=next_release(tmp_path / "next")))
    recorder.follow_all(new, first)
    second = recorder.ask(new, grace, 200, 50)
    third = recorder.ask(old, grace, 200, 50)
    recorder.follow_all(old, second)
    recorder.follow_all(new, third)
    stop(recorder, new, [first])
    case = check_all(recorder)

    assert [case.stored.messages[answer_of(v)].text for v in (second, third)] == [
        said(v.question) for v in (second, third)
    ]


def next_release(folder: Path) -> Path:
    """A copy of this one with one migration more."""

    shutil.copytree(ROOT / "flask_chatstream", folder / "flask_chatstream")
    versions = folder / "flask_chatstream" / "migrations" / "versions"
    head = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    (versions / "9999_next.py").write_text(NEXT.replace("{head}", head))
    (folder / "tests").symlink_to(ROOT / "tests")

    return folder
