"""A real nginx in front of a site, with what the deployment guide says."""

from __future__ import annotations

import getpass
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.services import ROOT, need
from tests.waiting import wait_for

GUIDE = ROOT / "docs" / "deploying.md"
CONFIG = """\
daemon off;
worker_processes 2;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def snippets() -> list[str]:
    """The configurations of the guide, in their order: bare, whole with TLS, below a prefix."""

    return re.findall(r"^```nginx\n(.*?)^```", GUIDE.read_text(), re.S | re.M)


def place(snippet: str, port: int, upstream: int, certificate: Path | None = None) -> str:
    """A configuration of the guide with this test's ports and files in place of the example's.

    What is not a whole server is put into one.
    """

    text = snippet.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")

    if "server {" not in text:
        return f"server {{ listen 127.0.0.1:{port};\n{text} }}"

    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")

    return re.sub(r"(ssl_certificate(?:_key)?) \S+;", rf"\1 {certificate};", text)


class Nginx:
    """One nginx in the foreground, as the current user, with all its files in a folder."""

    def __init__(self, folder: Path, site: str):
        self._program = need("nginx")
        self._folder = folder
        self._config = folder / "nginx.conf"
        self._process: psutil.Popen | None = None
        # Only root's nginx changes its user, to one who cannot read the folder.
        user = f"user {getpass.getuser()};" if os.getuid() == 0 else ""
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(CONFIG.format(user=user, folder=folder, site=site))

    def check(self) -> str:
        """What nginx says against the configuration; nothing when it takes it."""

        done = subprocess.run(
            [*self._command(), "-t", "-q"], capture_output=True, text=True, timeout=20
        )

        return done.stderr if done.returncode or "[warn]" in done.stderr else ""

    def start(self, port: int) -> None:
        """Start, and wait until it listens on a port."""

        self._process = psutil.Popen(self._command())
        wait_for(lambda: self._listens(port), 10)

    def reload(self) -> None:
        """New workers, as after a change of the configuration; the old ones go on to the end."""

        before = self.workers
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(self.workers - before) == 2, 10)

    @property
    def workers(self) -> set[int]:
        """The workers that live, also those that only end what they have begun."""

        assert self._process is not None

        return {child.pid for child in self._process.children()}

    def stop(self) -> None:
        """End it at once, with whatever runs through it."""

        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _command(self) -> list[str]:
        log = str(self._folder / "error.log")

        return [self._program, "-p", str(self._folder), "-e", log, "-c", str(self._config)]

    def _listens(self, port: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "error.log").read_text()

        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(folder: Path, port: int, site: str) -> Iterator[Nginx]:
    """An nginx that serves on a port, until the block ends."""

    nginx = Nginx(folder, site)
    nginx.start(port)

    try:
        yield nginx
    finally:
        nginx.stop()
