"""SIGTERM in mid-answer, and workers that are recycled, on every kind of server (F03, F06)."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import pytest

from .acts import check_all, watch_from_elsewhere, writer_of
from .model import question
from .recorder import Recorder
from .rig import Rig, Setup, wait_until
from .viewers import API, StreamViewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CELLS = pytest.mark.cells("postgres-gevent", "embedded-gthread", "wal-sync", "embedded-own")
GUNICORN = pytest.mark.cells("postgres-gevent", "embedded-gthread", "wal-sync")
MANY = pytest.mark.cells("postgres-gevent", "embedded-gthread")
HOOKED = pytest.mark.cells("postgres-gevent", "embedded-gthread", "embedded-own")
HOOKS = Setup(hooks=True, grace=30)
SHORT = Setup(hooks=True, grace=30, config={"CHATSTREAM_DRAIN_SECONDS": 1.5})


@CELLS
def test_F03_running_answers_end_before_their_server_does(rig: Rig) -> None:
    """F03: who looks at an answer is shown it to its end by the server that is being stopped."""

    (server,) = rig.serve(2, setup=HOOKS)
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 300, 100)
    streams = rig.cell.server != "sync"
    everybody = [chat, recorder.follow(StreamViewer, server, chat)] if streams else [chat]

    if streams:
        recorder.wait_shown(everybody, 30)

    server.terminate()

    assert server.wait_exit(20) == 0
    stored = recorder.snapshot()
    assert [g.status for g in stored.generations] == ["completed"]
    server.start()
    server.wait_ready()

    check_all(recorder)
    assert {ending.status for v in everybody for ending in v.sight.endings} == {"completed"}


@CELLS
def test_F03_what_is_not_done_in_time_is_stored_and_interrupted(rig: Rig) -> None:
    """F03: a long answer ends as interrupted before its server exits, with all that was shown."""

    (server,) = rig.serve(1, setup=SHORT)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 4000, 100)
    wait_until(lambda: any(c.text for c in recorder.snapshot().chunks), 10)
    server.terminate()
    terminated = time.monotonic()

    assert server.wait_exit(20) == 0
    assert time.monotonic() - terminated > 1
    (generation,) = recorder.snapshot().generations
    assert (generation.status, generation.error_code) == ("interrupted", "interrupted")
    server.start()
    server.wait_ready()

    check_all(recorder)
    assert chat.sight.endings[-1].error_code == "interrupted"


@HOOKED
def test_F03_new_questions_are_refused_in_words(rig: Rig) -> None:
    """F03: 503 with Retry-After on a connection that was open before."""

    (server,) = rig.serve(1, setup=HOOKS)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 300, 100)

    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        ask_once(connection)
        server.terminate()
        # The signal reaches the worker by way of its master.
        refused = wait_until(lambda: (found := ask_once(connection)).status == 503 and found, 5)

    assert int(refused.headers["Retry-After"]) > 0
    assert json.loads(refused.read_body)["error"]["code"] == "shutting_down"
    assert server.wait_exit(20) == 0
    assert chat.done.wait(20)


def ask_once(connection: HTTPConnection) -> Any:
    """The answer to a question, on a connection that stays open."""

    body = json.dumps({"message": question("abcdefgh", 1, 100), "stream": False})
    head = {"Content-Type": "application/json", "X-Owner": "grace"}
    connection.request("POST", "/chat/api/v1/chat", body, head)
    response: Any = connection.getresponse()
    response.read_body = response.read()

    return response


@MANY
def test_F03_F38_viewers_of_a_stopped_worker_come_back_elsewhere(rig: Rig) -> None:
    """F03: they are sent away at once, miss nothing, and see the end at another worker."""

    (server,) = rig.serve(2, setup=HOOKS)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 600, 100)
    writer = writer_of(recorder, chat)
    elsewhere = watch_from_elsewhere(recorder, server, chat, writer)
    (other,) = set(server.pids) - {writer}
    assert {viewer.pids[-1] for viewer in elsewhere} == {other}
    before = [viewer.connections for viewer in elsewhere]
    os.kill(other, signal.SIGTERM)
    wait_until(lambda: all(v.connections > n for v, n in zip(elsewhere, before, strict=True)), 5)
    wait_until(lambda: all(viewer.done.is_set() for viewer in [chat, *elsewhere]), 20)

    assert other not in {viewer.pids[-1] for viewer in elsewhere}
    check_all(recorder)
    assert {v.sight.endings[-1].status for v in [chat, *elsewhere]} == {"completed"}


@GUNICORN
def test_F03_without_the_hooks_it_ends_as_interrupted(rig: Rig) -> None:
    """D5: gunicorn drops what writes the answer; the next process says so at once."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 4000, 100)
    wait_until(lambda: any(c.text for c in recorder.snapshot().chunks), 10)
    server.terminate()

    assert server.wait_exit(20) == 0
    assert recorder.snapshot().generations[0].status == "running"
    server.start()
    server.wait_ready()
    check_all(recorder)
    assert chat.sight.endings[-1].error_code == "interrupted"


@GUNICORN
def test_F06_a_worker_is_recycled_when_it_writes_nothing(rig: Rig) -> None:
    """F06: in mid-answer more requests have come than it may serve, and it goes on."""

    (server,) = rig.serve(1, setup=replace(HOOKS, arguments=("--max-requests", "300")))
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 4000, 50)
    (generation,) = recorder.snapshot().generations
    writer, message = generation.pid, generation.message_id
    client = recorder.client(server, ada)
    # Where there are no streams its tries would count.
    chat.leave()

    for _ in range(305):
        client.request("GET", f"{API}/healthz")

    assert client.request("GET", "/inside").json()["pid"] == writer
    assert client.request("POST", f"{API}/messages/{message}/cancel").json()["stopped"]
    wait_until(lambda: client.request("GET", "/inside").json()["pid"] != writer, 10)

    check_all(recorder)
    assert recorder.snapshot().generations[0].status == "cancelled"


@MANY
def test_F03_a_worker_in_a_hurry_breaks_off_at_once(rig: Rig) -> None:
    """SIGQUIT leaves gunicorn's workers two seconds: text and end are stored in them."""

    (server,) = rig.serve(1, setup=HOOKS)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 4000, 100)
    wait_until(lambda: any(c.text for c in recorder.snapshot().chunks), 10)
    hurried = time.monotonic()
    server.quit()

    assert server.wait_exit(20) == 0
    assert time.monotonic() - hurried < 8
    (generation,) = recorder.snapshot().generations
    assert (generation.status, generation.error_code) == ("interrupted", "interrupted")
    chat.leave()
    chat.join(5)
