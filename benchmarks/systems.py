"""What can be measured: how each server is started, and how a chat is opened on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil

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


OURS, CHAT = "benchmarks.servers.ours", "/chat/api/v1/chat"
SYSTEMS = {
    system.name: system
    for system in (
        System("process", OURS, CHAT, "flask_chatstream, SQLite, durability process"),
        System(
            "power",
            OURS,
            CHAT,
            "flask_chatstream, SQLite, durability power",
            ("--durability", "power"),
        ),
        System(
            "postgres",
            OURS,
            CHAT,
            "flask_chatstream, PostgreSQL, durability power",
            ("--durability", "power"),
            postgres=True,
        ),
        System("off", OURS, CHAT, "the same pipeline with the journal off", ("--journal", "off")),
        System("proxy", "benchmarks.servers.proxy", "/chat", "openai SDK proxy, stores nothing"),
        System("naive", "benchmarks.servers.naive", "/chat", "content += token; commit (SQLite)"),
    )
}


@dataclass
class Running:
    """A started server, and what it has used so far."""

    process: psutil.Popen
    port: int
    folder: Path
    helpers: list[psutil.Process] = field(default_factory=list)

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
        """End the server and remove what it stored."""

        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


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
        except urllib.error.HTTPError:
            return process, port
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{module} did not start") from None
            time.sleep(0.05)

    raise RuntimeError(f"{module} does not answer")


def start(system: System, upstream: int) -> Running:
    """Start a system on a folder, and a database, of its own."""

    folder = Path(tempfile.mkdtemp(prefix="chatstream-bench-"))
    options = ["--upstream", str(upstream), "--folder", str(folder), *system.options]
    helpers = []

    if system.postgres:
        options += ["--database", fresh_postgres()]
        helpers = [p for p in psutil.process_iter(["name"]) if _is_postmaster(p)]

    process, port = launch(system.module, *options)

    return Running(process, port, folder, helpers)


def _is_postmaster(process: psutil.Process) -> bool:
    return process.info["name"] == "postgres" and process.ppid() == 1


def fresh_postgres() -> str:
    """The address of an empty database on the server that ``CHATSTREAM_BENCH_POSTGRES`` names."""

    import psycopg

    server = os.environ.get("CHATSTREAM_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432")

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS chatstream_bench WITH (FORCE)")
        connection.execute("CREATE DATABASE chatstream_bench")

    return f"{server.replace('postgresql://', 'postgresql+psycopg://')}/chatstream_bench"
