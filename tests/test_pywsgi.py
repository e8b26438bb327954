"""Our handler for gevent's server, and our worker for gunicorn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.checker import find_faults
from tests.faults.recorder import Recorder
from tests.faults.rig import Cell, Rig, Setup, rigged
from tests.faults.viewers import StreamViewer
from tests.services import ROOT
from tests.test_generation_gevent import SOURCE


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_streams_in_a_patched_process() -> None:
    options = ("-q", "-p", "no:cacheprovider", "--timeout", "60", "tests/patched_pywsgi.py")
    done = subprocess.run(
        [sys.executable, "-c", SOURCE, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with rigged(request.param, tmp_path) as rig:
        yield rig


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "rig", [Cell("embedded", "flask_chatstream.ggevent.Worker")], indirect=True, ids=["worker"]
)
def test_gunicorns_worker_serves_and_leaves_in_order(rig: Rig) -> None:
    (server,) = rig.serve(1, setup=Setup(hooks=True, grace=30))
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 150, 50)
    viewers = [recorder.follow(StreamViewer, server, chat) for _ in range(8)]
    recorder.wait_shown([chat, *viewers], 20)
    (inside,) = server.inside().values()
    server.terminate()

    assert server.wait_exit(60) == 0
    server.start()
    server.wait_ready()

    assert (inside["patched"], inside["streams"]) == (True, 9)
    assert find_faults(recorder.gather()) == []
    assert {ending.status for v in (chat, *viewers) for ending in v.sight.endings} == {"completed"}
