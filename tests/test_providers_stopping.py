"""D7: a stop closes the provider's socket at once, wherever the answer stands."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from tests.fakes.model_server import ModelServer
from tests.fakes.sockets import silent, unreachable
from tests.fakes.stopping import Stopped, stop

ROOT = Path(__file__).parent.parent
Stop = Callable[..., Stopped]

PHASES = {
    "before the headers": ("[[stall=headers]]", 0),
    "before the first token": ("[[stall=first]]", 0),
    "in mid-stream": ("[[tokens=1000 rate=100]]", 3),
    "in silence": ("[[tokens=10 stall=mid]]", 5),
}


class Greenlets:
    """A patched process that runs the scenario."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def stop(self, base_url: str, prompt: str = "hi", **options: Any) -> Stopped:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps({"base_url": base_url, "prompt": prompt, **options}) + "\n")
        stdin.flush()

        return Stopped(*json.loads(stdout.readline()))


@pytest.fixture(scope="module")
def greenlets() -> Iterator[Greenlets]:
    command = [sys.executable, "-m", "tests.fakes.stopping"]
    pipe = subprocess.PIPE

    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield Greenlets(process)


@pytest.fixture(params=["threads", "greenlets"])
def stop_it(request: pytest.FixtureRequest, greenlets: Greenlets) -> Stop:
    return stop if request.param == "threads" else greenlets.stop


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["plain", "TLS"])
def server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[ModelServer]:
    context = None
    if request.param == "TLS":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)

    with ModelServer(tls=context) as server:
        yield server


@pytest.mark.parametrize("transport", ["direct", "sdk"])
@pytest.mark.parametrize("phase", PHASES)
def test_the_server_sees_the_stop_at_once(
    server: ModelServer,
    authority: trustme.CA,
    stop_it: Stop,
    phase: str,
    transport: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    cafile = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(cafile))
    prompt, after_events = PHASES[phase]
    result = stop_it(
        server.base_url,
        prompt,
        transport=transport,
        after_events=after_events,
        delay=0.3,
        cafile=str(cafile) if server.base_url.startswith("https") else None,
    )
    seconds = server.wait_for_calls(1)[0].wait_closed() - result.cancelled_at

    record_property("ms", round(1000 * seconds, 1))
    print(f"stopped {phase} ({transport}): closed after {1000 * seconds:.1f} ms")
    assert result.outcome == "Cancelled"
    assert seconds < 1
    # Before the headers the SDK's own transport makes the SDK sleep before another attempt.
    assert result.ended_at - result.cancelled_at < (3 if transport == "sdk" else 1)
    assert len(server.calls) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("peer", [unreachable, silent])
def test_connecting_and_shaking_hands_are_stopped(
    stop_it: Stop, peer: Callable[[], Any], scheme: str
) -> None:
    with peer() as port:
        result = stop_it(f"{scheme}://127.0.0.1:{port}/v1", delay=0.3)

    assert result.outcome == "Cancelled"
    assert result.ended_at - result.cancelled_at < 1


def test_what_was_stopped_before_it_began_calls_nobody() -> None:
    with ModelServer() as server:
        assert stop(server.base_url, delay=0).outcome in {"Cancelled", "finished"}
        assert len(server.calls) <= 1


def test_a_stop_while_the_sdk_waits_for_its_next_attempt_makes_no_other_call() -> None:
    with ModelServer() as server:
        prompt = "[[status=500 retry_after=0.8]]"
        result = stop(server.base_url, prompt, delay=0.4)

        assert result.outcome == "Cancelled"
        assert len(server.calls) == 1
        assert result.ended_at - result.cancelled_at < 2


def test_a_stop_at_any_moment_leaves_nothing_open() -> None:
    with ModelServer() as server:

        def stop_at(milliseconds: float) -> str:
            prompt = "[[tokens=30 rate=1500]]"
            return stop(server.base_url, prompt, delay=milliseconds / 1000).outcome

        stop_at(50)
        before = psutil.Process().num_fds()
        outcomes = [stop_at(n * 0.7) for n in range(80)]

        deadline = time.monotonic() + 5
        while psutil.Process().num_fds() > before + 2 and time.monotonic() < deadline:
            time.sleep(0.01)

        assert set(outcomes) == {"Cancelled", "finished"}
        assert psutil.Process().num_fds() <= before + 2
