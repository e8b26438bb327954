"""A PostgreSQL server of a test's own, which may be crashed, stopped and paused."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from sqlalchemy import make_url

from tests.services import execute, missing, need
from tests.waiting import wait_for

from .rig import free_port

#: Debian keeps the programs of its versions apart.
PLACES = "/usr/lib/postgresql/*/bin/pg_ctl"


class Cluster:
    """A fresh cluster in a folder, as somebody who is not root."""

    def __init__(self, folder: Path, programs: Path):
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._programs = programs
        self._port = free_port()
        folder.mkdir(parents=True)

        if os.geteuid() == 0:
            # The server refuses to run as root, and its user must reach the folder.
            shutil.chown(folder, "postgres")

            folder.parent.chmod(0o711)

        self._run("initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8")
        options = f"port={self._port}\nlisten_addresses='127.0.0.1'\n"
        options += f"unix_socket_directories='{folder}'\nmax_connections=60\n"
        settings = self._data / "postgresql.conf"
        settings.write_text(settings.read_text() + options)

    @property
    def url(self) -> str:
        """Its address, with the password that nobody asks for."""

        parts = make_url(need("postgres")).set(port=self._port, username="postgres")

        return parts.render_as_string(hide_password=False)

    @property
    def pids(self) -> list[int]:
        """The server's processes, its own first."""

        pid = int((self._data / "postmaster.pid").read_text().split()[0])

        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]

    def start(self) -> None:
        """Start, and wait until it answers."""

        self._run("pg_ctl", "--wait", f"--log={self._log}", "start")
        wait_for(self._answers, timeout=20)

    def _answers(self) -> bool:
        execute(self.url, "SELECT 1")

        return True

    def crash(self) -> None:
        """Every process dies at once."""

        pids = self.pids

        for pid in pids:
            os.kill(pid, signal.SIGKILL)

        psutil.wait_procs([psutil.Process(p) for p in pids if psutil.pid_exists(p)], timeout=10)

    def stop(self) -> None:
        """Stop in order."""

        self._run("pg_ctl", "--wait", "--mode=fast", "stop")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing in it moves, as on a disk that does not answer."""

        pids = self.pids

        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _run(self, program: str, *arguments: str) -> None:
        user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        command = [self._programs / program, f"--pgdata={self._data}", *arguments]

        # Files, because the server would keep a pipe open for good.
        with self._data.with_suffix(".out").open("ab") as out:
            subprocess.run(
                command,
                check=True,
                user=user,
                cwd=self._data.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=60,
            )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster; nothing of it is left afterwards."""

    # Not in pytest's own folder, which it closes to others again whenever it starts.
    with TemporaryDirectory(prefix="chatstream-cluster-", ignore_cleanup_errors=True) as folder:
        yield from _running(Path(folder) / "cluster")


def _running(folder: Path) -> Iterator[Cluster]:
    found = sorted(Path("/").glob(PLACES.lstrip("/")))
    program = shutil.which("pg_ctl") or (str(found[-1]) if found else missing("pg_ctl"))
    made = Cluster(folder, Path(program).resolve().parent)
    made.start()

    try:
        yield made
    finally:
        if psutil.pid_exists(made.pids[0]):
            made.crash()
