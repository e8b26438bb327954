"""The site's process: started, killed and started again on the same port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from tests.services import ROOT
from tests.waiting import wait_for


def free_port() -> int:
    """A port where nobody listens."""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a site with the chat serves at an address."""

    try:
        with urlopen(f"{url}/chat/api/v1/healthz", timeout=5):
            return True
    except HTTPError:
        raise
    except OSError:
        return False


@contextmanager
def serving(folder: Path, model: str, workers: int = 0) -> Iterator[Site]:
    """A site, and the end of all its processes."""

    site = Site(folder, model, workers)

    try:
        site.start()
        yield site
    finally:
        site.kill()


class Site:
    """The host in a process of its own; with ``workers``, gunicorn with so many of gevent's."""

    def __init__(self, folder: Path, model: str, workers: int = 0):
        self._workers = workers
        self.port = free_port()
        self.lonely_port = free_port()
        self._log = folder / "site.log"
        self._settings = {
            "port": self.port,
            "folder": str(folder),
            "model": model,
            "lonely": f"http://127.0.0.1:{self.lonely_port}/v1",
        }
        self._process: psutil.Popen | None = None

    @property
    def url(self) -> str:
        """Its address."""

        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it serves."""

        environment = {**os.environ, "E2E_SITE": json.dumps(self._settings)}

        with self._log.open("ab") as log:
            self._process = psutil.Popen(
                self._command(), cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

        wait_for(self._answers, timeout=30)

    def _command(self) -> list[str]:
        if not self._workers:
            return [sys.executable, "-m", "tests.browser.e2e.host"]

        command = [sys.executable, "-m", "gunicorn", "tests.browser.e2e.host:app", "-k", "gevent"]
        command += ["--workers", str(self._workers), "--bind", f"127.0.0.1:{self.port}"]

        return [*command, "--log-level", "warning"]

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.read_log()

        try:
            return answers(self.url)
        except HTTPError as error:
            raise AssertionError(self.read_log()) from error

    def kill(self) -> None:
        """kill -9 of all its processes: they have no chance to store or to say anything."""

        assert self._process is not None
        everybody = [self._process, *self._process.children(recursive=True)]

        for process in everybody:
            process.kill()

        psutil.wait_procs(everybody, timeout=10)

    def set_draining(self, on: bool) -> None:
        """Take no new questions, as before a deploy, or take them again."""

        urlopen(Request(f"{self.url}/draining/{int(on)}", method="POST"), timeout=5).close()

    def read_log(self) -> str:
        """What it has written."""

        return self._log.read_text(errors="replace")
