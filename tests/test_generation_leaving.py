"""A process that leaves: what it refuses, waits for, breaks off and stores."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_chatstream.errors import ShuttingDown
from flask_chatstream.events import Event, TextDelta
from flask_chatstream.generation import is_busy, watch_server
from flask_chatstream.generation import server as told
from flask_chatstream.providers import Cancellation, ChatRequest
from tests.waiting import wait_for
from tests.workers import Worker


class Stubborn:
    """A provider that does not hear that it is to stop."""

    name = "stubborn"

    def __init__(self) -> None:
        self.release = threading.Event()

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        """One word, and then silence."""

        yield TextDelta("Well ")
        self.release.wait(30)


@pytest.fixture
def worker(tmp_path: Path, database_url: str) -> Iterator[Worker]:
    from flask_chatstream import migrate

    worker = Worker(database_url, drain_seconds=0.05)
    migrate.upgrade(worker.engine)

    yield worker

    worker.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A server that is leaving once the event is set."""

    monkeypatch.setattr(told, "_server", told.NOTHING)
    leaving = threading.Event()
    watch_server(leaving.is_set, 0.05)

    yield leaving


def test_a_server_that_leaves_is_believed_at_once(worker: Worker, server: threading.Event) -> None:
    worker.runtime.admit()
    server.set()

    with pytest.raises(ShuttingDown) as refused:
        worker.runtime.admit()

    assert refused.value.retry_after


def test_what_the_server_has_told_is_not_for_a_forked_child(
    server: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.set()
    assert told.get_server().is_leaving()
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert not told.get_server().is_leaving()


def test_the_background_work_breaks_off_what_runs_too_long(
    worker: Worker, server: threading.Event
) -> None:
    worker.provider.enqueue("one ", 60, "two")
    asked = worker.start()
    wait_for(lambda: worker.text(asked) == "one ")
    server.set()

    assert worker.wait_end(asked).status == "interrupted"
    assert worker.message(asked).content == "one "


def test_a_provider_that_does_not_stop_is_left_behind(worker: Worker) -> None:
    worker.model = stubborn = Stubborn()
    asked = worker.start()
    wait_for(lambda: worker.text(asked) == "Well ")

    assert worker.runtime.leaving.wait() == 1
    assert worker.generation(asked).status == "interrupted"
    assert worker.message(asked).content == "Well "
    stubborn.release.set()
    wait_for(lambda: not worker.runtime.is_busy)


def test_nothing_to_wait_for_takes_no_time(worker: Worker) -> None:
    assert worker.runtime.leaving.wait() == 0
    wait_for(_is_idle)


def _is_idle() -> bool:
    """What the tests before left behind in this process is nobody's."""

    gc.collect()

    return not is_busy()
