"""Nothing of the chat's runs before a process's first chat request (F07), whoever forks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.faults.rig import free_port
from tests.services import ROOT
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

SITE = """
import gc, os, threading
from flask import Flask, jsonify
from greenlet import greenlet
from flask_chatstream import chatstream

app = Flask(__name__, instance_path=os.environ["FOLDER"])
app.config.update(SECRET_KEY="x", CHATSTREAM_PROVIDER="demo")

if "DATABASE" in os.environ:
    from flask_sqlalchemy import SQLAlchemy
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE"]
    app.config["CHATSTREAM_AUTO_UPGRADE"] = True
    db = SQLAlchemy(app)

if "PLAIN" not in os.environ:
    app.register_blueprint(chatstream)

with app.app_context():
    if "DATABASE" in os.environ:
        db.engine.dialect.import_dbapi()

@app.get("/inside")
def inside():
    gc.collect()
    greenlets = sum(isinstance(g, greenlet) and not g.dead for g in gc.get_objects())
    names = [t.name for t in threading.enumerate() if "Pool" not in t.name]
    return jsonify(pid=os.getpid(), greenlets=greenlets, threads=len(names))
"""
#: gunicorn has a thread of its own in its master, sooner or later.
CONFIG = """
def when_ready(server):
    import threading
    print("before the fork:", [t.name for t in threading.enumerate()], flush=True)
"""


class Site:
    """A site under gunicorn, loaded before it forks."""

    def __init__(self, folder: Path, port: int, process: psutil.Popen):
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.master = process

    def get(self, path: str) -> httpx.Response:
        """One request on a connection of its own."""

        return httpx.get(self.url + path, timeout=20)

    def processes(self) -> list[psutil.Process]:
        """The master and its workers."""

        return [self.master, *self.master.children()]

    def inside(self) -> tuple[int, int]:
        """Greenlets and threads of a worker, other than the server's pool."""

        found = self.get("/inside").json()

        return found["greenlets"], found["threads"]

    def log(self) -> str:
        """What the server has written."""

        return (self.folder / "log").read_text()


@contextmanager
def preloaded(folder: Path, *arguments: str, **environment: str) -> Iterator[Site]:
    """A site with two workers that were forked after it had been loaded."""

    (folder / "site_to_fork.py").write_text(SITE)

    if not (folder / "gunicorn.conf.py").exists():
        (folder / "gunicorn.conf.py").write_text(CONFIG)

    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "site_to_fork:app", "--preload", "-w", "2"]
    # A worker may wait that long for somebody who has not hung up.
    command += ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "5", *arguments]
    paths = f"{folder}{os.pathsep}{ROOT}"
    given = {**os.environ, "PYTHONPATH": paths, "FOLDER": str(folder / "instance"), **environment}

    with (folder / "log").open("w") as log:
        process = psutil.Popen(command, cwd=folder, env=given, stdout=log, stderr=subprocess.STDOUT)

    site = Site(folder, port, process)

    try:
        wait_for(lambda: _answers(site), 30, 0.1)
        yield site
    finally:
        process.terminate()
        process.wait(20)


def _answers(site: Site) -> bool:
    assert site.master.poll() is None, site.log()

    try:
        return site.get("/inside").is_success
    except httpx.TransportError:
        return False


def _holds(process: psutil.Process) -> tuple[int, int]:
    """Sockets and database files of a process."""

    sockets = [c for c in process.net_connections() if c.status in ("LISTEN", "ESTABLISHED")]

    return len(sockets), len(_opened(process))


def _opened(process: psutil.Process) -> list[str]:
    return [file.path for file in process.open_files() if "sqlite" in file.path]


@pytest.mark.parametrize("kind", ["gthread", "gevent", "sync"])
def test_nothing_starts_before_the_fork_nor_before_the_first_chat_request(
    tmp_path: Path, kind: str
) -> None:
    arguments = ("-k", kind, "--threads", "4" if kind == "gthread" else "1")

    with preloaded(tmp_path, *arguments, PLAIN="1") as site:
        expected = [_holds(process) for process in site.processes()]
        alone = site.inside()

    with preloaded(tmp_path, *arguments) as site:
        master, *workers = site.processes()

        assert [_holds(process) for process in site.processes()] == expected
        assert site.inside() == alone
        assert "before the fork: ['MainThread']" in site.log()
        assert not (tmp_path / "instance" / "chatstream.sqlite3").exists()

        def ask_both() -> bool:
            return site.get("/chat/").is_success and all(map(_opened, workers))

        wait_for(ask_both, 20)
        assert _holds(master) == expected[0]
        assert sum(site.inside()) > sum(alone)


@pytest.mark.db
def test_a_driver_that_was_loaded_too_early_is_named_once(
    tmp_path: Path, postgres_url: str
) -> None:
    environment = {"DATABASE": postgres_url}

    with preloaded(tmp_path, "-k", "gevent", "-w", "1", **environment) as site:
        for _ in range(3):
            assert site.get("/chat/").is_success

        assert site.log().count("psycopg was imported before gevent patched") == 1
        assert "gunicorn.conf.py" in site.log()


@pytest.mark.db
def test_a_driver_that_was_loaded_in_time_is_not_named(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(
        "from gevent import monkey\nmonkey.patch_all()\nfrom flask_chatstream.gunicorn import *\n"
    )
    environment = {"DATABASE": postgres_url}

    with preloaded(tmp_path, "-k", "gevent", "-w", "1", **environment) as site:
        assert site.get("/chat/").is_success
        assert "imported before" not in site.log()
