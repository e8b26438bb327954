"""A real PgBouncer in transaction mode, in front of a test's database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests.services import execute, need
from tests.waiting import wait_for


@contextmanager
def run_pgbouncer(url: str, folder: Path) -> Iterator[str]:
    """The same database behind a pooler; its address."""

    program, parts, port = need("pgbouncer"), make_url(url), _free_port()
    server = f"host={parts.host} port={parts.port or 5432} user={parts.username}"
    secret = f" password={parts.password}" if parts.password else ""
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n{parts.database} = {server}{secret} dbname={parts.database}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        "pool_mode = transaction\nunix_socket_dir =\nlogfile =\n"
        "ignore_startup_parameters = extra_float_digits,options\n"
    )
    pooled = parts.set(host="127.0.0.1", port=port, password=None)
    address = pooled.render_as_string(hide_password=False)
    # It refuses to run as root.
    user = ["--user=nobody"] if os.geteuid() == 0 else []
    _let_read(folder, settings)
    process = subprocess.Popen([program, "--quiet", *user, str(settings)])

    try:
        wait_for(lambda: _answers(address, process))
        yield address
    finally:
        process.kill()
        process.wait()


def _let_read(folder: Path, settings: Path) -> None:
    settings.chmod(0o644)

    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None

    try:
        execute(address, "SELECT 1")
    except Exception:
        return False

    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]

        return port
