"""What can be measured: how each server is started, and how a chat is opened on it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from .databases import fresh_postgres, postmasters

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class System:
    """A server under test; ``options`` are its command line."""

    name: str
    module: str
    path: str
    about: str
    options: tuple[str, ...] = ()
    postgres: bool = False

    def having(self, *options: str, postgres: bool | None = None) -> System:
        """The same with more options."""

        is_postgres = self.postgres if postgres is None else postgres

        return replace(self, options=(*self.options, *options), postgres=is_postgres)


OURS, CHAT = "benchmarks.servers.ours", "/chat/api/v1/chat"
POWER = ("--durability", "power")
SYSTEMS = {
    system.name: system
    for system in (
        System("process", OURS, CHAT, "flask_chatstream, SQLite, durability process"),
        System("power", OURS, CHAT, "flask_chatstream, SQLite, durability power", POWER),
        System("postgres", OURS, CHAT, "flask_chatstream, PostgreSQL", POWER, postgres=True),
        System("off", OURS, CHAT, "the same pipeline with the journal off", ("--journal", "off")),
        System("proxy", "benchmarks.servers.proxy", "/chat", "openai SDK proxy, stores nothing"),
        System("bare", "benchmarks.servers.bare", "/chat", "hand-written proxy, stores nothing"),
        System("naive", "benchmarks.servers.naive", "/chat", "content += token; commit (SQLite)"),
    )
}


@dataclass
class Running:
    """A started server, and what it has used so far."""

    process: psutil.Popen
    port: int
    folder: Path
    database: str | None = None
    #: The database server's first processes, whose use counts as this server's.
    helpers: list[psutil.Process] = field(default_factory=list)
    #: Whether it has done everything once.
    is_warm: bool = False

    def cpu(self) -> float:
        """Seconds of processor time, those of a database server's processes included."""

        times = [process.cpu_times() for process in [self.process, *self._others()]]

        return sum(t.user + t.system + t.children_user + t.children_system for t in times)

    def _others(self) -> list[psutil.Process]:
        return [p for helper in self.helpers for p in (helper, *helper.children(recursive=True))]

    def memory(self) -> int:
        """Resident bytes of the server's process."""

        return int(self.process.memory_info().rss)

    def written(self) -> int:
        """Bytes sent towards the disk by the server's process."""

        return int(self.process.io_counters().write_bytes)

    def stop(self) -> None:
        """End the server's process."""

        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """A port that nobody listens on."""

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))

        return int(probe.getsockname()[1])


def launch(module: str, *options: str) -> tuple[psutil.Popen, int]:
    """Start a module on a free port and wait until it answers."""

    port = free_port()
    command = [sys.executable, "-m", module, "--port", str(port), *options]
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60

    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
            return process, port
        except urllib.error.HTTPError as error:
            error.close()
            return process, port
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{module} did not start") from None
            time.sleep(0.05)

    process.kill()
    raise RuntimeError(f"{module} does not answer")


class Place:
    """A folder, and with ``postgres`` a database, for the servers of one round."""

    def __init__(self, *, postgres: bool = False):
        self.folder = Path(tempfile.mkdtemp(prefix="chatstream-bench-"))
        self._made = fresh_postgres() if postgres else None
        self.database = self._made.__enter__() if self._made else None

    def start(self, system: System, upstream: int) -> Running:
        """Start a server here; several share what is stored."""

        options = ["--upstream", str(upstream), "--folder", str(self.folder), *system.options]

        if self.database is not None:
            options += ["--database", self.database]

        process, port = launch(system.module, *options)
        helpers = postmasters() if self.database is not None else []

        return Running(process, port, self.folder, self.database, helpers)

    def close(self) -> None:
        """Remove what was stored."""

        shutil.rmtree(self.folder, ignore_errors=True)

        if self._made is not None:
            self._made.__exit__(None, None, None)
