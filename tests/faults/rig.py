"""The servers of one cell: a database, a kind of worker, the model server, and their processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
from sqlalchemy import make_url

from tests.services import ROOT, execute, fresh_mariadb, need
from tests.waiting import wait_for

from .exchange import BROKEN, Client
from .model import KEY

#: What must never be seen in the database, an answer or a page.
PASSWORD = "canary-dsn-2e8f6a"
FOLDER = "canary-path-77d0"
DATABASES = ("embedded", "wal", "postgres", "mariadb")
SERVERS = ("gevent", "gthread")
#: Enough for every viewer of a test to have a thread of its own, and half of them a stream.
THREADS = 64
HOOKS = "from flask_chatstream.gunicorn import *\n"


@dataclass(frozen=True)
class Cell:
    """What is combined: where the rows are, and what the workers are."""

    database: str
    server: str

    def __str__(self) -> str:
        return f"{self.database}-{self.server}"


@dataclass(frozen=True)
class Setup:
    """How a server is started, other than with what every test has."""

    #: Whether gunicorn's configuration has our hooks.
    hooks: bool = False
    #: How long gunicorn waits before it kills, in seconds.
    grace: int = 1
    threads: int = THREADS
    arguments: tuple[str, ...] = ()
    #: Changes to the site's configuration.
    config: Mapping[str, Any] = field(default_factory=dict)
    #: How far the clock of the workers is ahead, in seconds.
    ahead: float = 0.0
    #: Where the last synced bytes of the database are kept (`disk`).
    disk: str = ""
    #: Where the package is that it runs, if not this one.
    home: Path = ROOT


DEFAULT = Setup()


class Server:
    """One gunicorn with its workers, or gevent's own server, which is its own worker."""

    def __init__(
        self, cell: Cell, settings: dict[str, Any], workers: int, log: Path, setup: Setup = DEFAULT
    ):
        self.port = free_port()
        self._cell = cell
        self._settings = settings
        self._workers = workers
        self._log = log
        self._setup = setup
        self._master: psutil.Popen | None = None
        self.start()

    def start(self) -> None:
        """Start, or start again after a kill, on the same port."""

        kinds = {"own": self._own, "flask": self._flask}
        command = kinds.get(self._cell.server, self._gunicorn)()

        with self._log.open("ab") as log:
            self._master = psutil.Popen(
                command,
                cwd=self._setup.home,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def environment(self) -> dict[str, str]:
        """What its workers run with, and a command of the site's as well."""

        settings = {**self._settings, "server": self._cell.server}
        settings |= {"ahead": self._setup.ahead, "disk": self._setup.disk}

        return {**os.environ, "FAULTS": json.dumps(settings)}

    def _own(self) -> list[str]:
        return [sys.executable, "-m", "tests.faults.own", str(self.port)]

    def _flask(self) -> list[str]:
        site = ["--app", "tests.faults.host:app"]

        return [sys.executable, "-m", "flask", *site, "run", "--port", str(self.port)]

    def _gunicorn(self) -> list[str]:
        command = [sys.executable, "-m", "gunicorn", "tests.faults.host:app"]
        command += ["--bind", f"127.0.0.1:{self.port}", "--workers", str(self._workers)]
        command += ["--worker-class", self._cell.server, "--timeout", "60"]
        command += ["--graceful-timeout", str(self._setup.grace), "--log-level", "warning"]

        # gunicorn takes a sync worker with threads for gthread.
        if self._cell.server != "sync":
            command += ["--threads", str(self._setup.threads)]

        if self._setup.hooks:
            path = self._log.with_suffix(".conf.py")
            path.write_text(HOOKS)
            command += ["--config", str(path)]

        return [*command, *self._setup.arguments]

    def wait_ready(self) -> None:
        """Wait until it serves chat requests, its tables being in place."""

        wait_for(self._answers, timeout=60, interval=0.05)

    def _answers(self) -> bool:
        assert self._master is not None
        assert self._master.poll() is None, self.read_log()

        try:
            found = Client(self.port, "ready").request("GET", "/chat/api/v1/conversations")
        except BROKEN:
            return False

        assert found.status == 200, (found.status, found.body, self.read_log())

        return True

    @property
    def pids(self) -> list[int]:
        """The workers that live."""

        assert self._master is not None

        if self._cell.server in ("own", "flask"):
            return [self._master.pid]

        return [child.pid for child in self._master.children() if _lives(child)]

    def kill_worker(self, pid: int) -> None:
        """kill -9 one worker; gunicorn puts another one in its place."""

        assert pid in self.pids
        os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM, as a deploy does."""

        assert self._master is not None
        self._master.terminate()

    def quit(self) -> None:
        """SIGQUIT, as somebody does who cannot wait."""

        assert self._master is not None
        self._master.send_signal(signal.SIGQUIT)

    def wait_exit(self, timeout: float) -> int:
        """The exit code, once it has ended."""

        assert self._master is not None
        code: int = self._master.wait(timeout)

        return code

    @contextmanager
    def paused(self, pid: int) -> Iterator[None]:
        """One worker stands still, so that the others take all that comes."""

        os.kill(pid, signal.SIGSTOP)

        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9 the master and all workers."""

        assert self._master is not None

        if self._master.poll() is not None:
            return

        everybody = [self._master, *self._master.children(recursive=True)]

        for process in everybody:
            process.kill()

        psutil.wait_procs(everybody, timeout=10)

    def read_log(self) -> str:
        """What it has written."""

        return self._log.read_text(errors="replace")

    def wait_alive(self) -> float:
        """How long a worker takes to say nothing, in seconds: the event loop's delay."""

        return Client(self.port, "alive").request("GET", "/alive").took

    def inside(self) -> dict[int, dict[str, int]]:
        """What each worker holds, by its pid."""

        found: dict[int, dict[str, int]] = {}
        wanted = set(self.pids)
        client = Client(self.port, "inside")

        def ask() -> bool:
            value = client.request("GET", "/inside").json()
            found[value["pid"]] = value

            return wanted <= found.keys()

        wait_for(ask, timeout=30, interval=0)

        return found


class Rig:
    """A cell with its database and model server, and the servers that were started in it."""

    def __init__(self, cell: Cell, folder: Path, url: str, model: str):
        self.cell = cell
        self.url = url
        self.servers: list[Server] = []
        #: What nobody may see of the database's address.
        self.password = make_url(url).password or PASSWORD
        self._folder = folder
        #: Where the model server is.
        self.model = model

    def serve(self, *workers: int, setup: Setup = DEFAULT) -> list[Server]:
        """A gunicorn for each number of workers, all on the same database and ready to serve.

        They start together, so each of them may be the one that makes the tables.
        """

        fresh = []

        for count in workers:
            log = self._folder / f"server-{len(self.servers)}.log"
            fresh.append(Server(self.cell, self._settings(setup), count, log, setup))
            self.servers.append(fresh[-1])

        for server in fresh:
            server.wait_ready()

        return fresh

    def _settings(self, setup: Setup) -> dict[str, Any]:
        config = {
            "CHATSTREAM_PROVIDER": "openai",
            "CHATSTREAM_MODEL": "fake",
            "CHATSTREAM_OPENAI_API_KEY": KEY,
            "CHATSTREAM_OPENAI_BASE_URL": self.model,
            "CHATSTREAM_AUTO_UPGRADE": True,
            **setup.config,
        }
        database = "" if self.cell.database == "embedded" else self.url

        return {"config": config, "database": database, "folder": str(self._folder)}

    def calls(self) -> list[dict[str, Any]]:
        """The model server's ledger."""

        with urlopen(self.model.removesuffix("/v1") + "/_calls", timeout=10) as response:
            calls: list[dict[str, Any]] = json.load(response)

        return calls

    def close(self) -> None:
        """End all servers."""

        for server in self.servers:
            server.kill()


@contextmanager
def rigged(cell: Cell, folder: Path, url: str = "") -> Iterator[Rig]:
    """A rig with a fresh database, or on the one at ``url``, and the end of all its processes."""

    place = folder / FOLDER
    place.mkdir(parents=True)
    database = nullcontext(url) if url else _database(cell, place)

    with database as url, _model(place) as model:
        rig = Rig(cell, place, url, model)

        try:
            yield rig
        finally:
            rig.close()


@contextmanager
def _database(cell: Cell, place: Path) -> Iterator[str]:
    if cell.database == "postgres":
        with _postgres() as url:
            yield url

        return

    if cell.database == "mariadb":
        with fresh_mariadb() as url:
            yield url

        return

    if cell.database == "memory":
        yield "sqlite://"

        return

    path = place / ("chatstream.sqlite3" if cell.database == "embedded" else "host.sqlite3")

    if cell.database == "wal":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

        connection.close()

    yield f"sqlite:///{path}"


@contextmanager
def _postgres() -> Iterator[str]:
    server, name = need("postgres"), f"chatstream_faults_{uuid.uuid4().hex[:12]}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    url = make_url(server).set(database=name)

    # Where the server asks for none, any password will do.
    if url.password is None:
        url = url.set(password=PASSWORD)

    try:
        yield url.render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _model(place: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.faults.model"]

    with (place / "model.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)

    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until(condition: Callable[[], Any], timeout: float) -> Any:
    """`wait_for` at a pace that leaves the servers the machine."""

    return wait_for(condition, timeout=timeout, interval=0.03)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != "zombie")
    except psutil.NoSuchProcess:  # gone since it was listed
        return False
