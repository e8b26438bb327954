"""Streams where the server bears them, polling where it does not, and the site goes on serving."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.acts import stop
from tests.faults.checker import find_faults
from tests.faults.exchange import Client, Exchange
from tests.faults.model import answer, question
from tests.faults.recorder import Person, Recorder
from tests.faults.rig import Cell, Rig, Server, Setup, rigged, wait_until
from tests.faults.viewers import API, PageViewer, PollViewer, StreamViewer, Viewer
from tests.waiting import later

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with rigged(request.param, tmp_path) as rig:
        yield rig


@pytest.mark.parametrize("rig", [Cell("embedded", "gthread")], indirect=True, ids=str)
def test_viewers_never_take_the_threads_of_the_site(rig: Rig) -> None:
    """32 viewers on 8 threads: 4 stream, the rest poll, and the site's own pages have their turn.

    While all streams go on they come as often as a viewer is answered that polls.
    """

    (server,) = rig.serve(1, setup=Setup(threads=8))
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 4000, 40)
    viewers = [recorder.follow(PageViewer, server, chat) for _ in range(32)]
    recorder.wait_shown(viewers, 5)
    client = recorder.client(server, ada)
    taken, pages = set(), 0
    enough = _turns(viewers) + 5

    while _turns(viewers) < enough:
        if pages % 20 == 0:
            taken.add(client.request("GET", "/inside").json()["streams"])

        assert client.request("GET", "/alive").status == 200
        pages += 1

    assert [e for e in _looks(chat, *viewers) if _is_stream(e) and e.ended_at] == []
    assert max(taken) == 4
    assert pages >= 5
    stop(recorder, server, [chat])
    assert find_faults(recorder.gather()) == []


def _turns(viewers: list[PageViewer]) -> float:
    """How often one of those that poll has been answered."""

    return statistics.median(sum(not _is_stream(e) for e in _looks(viewer)) for viewer in viewers)


def _looks(*viewers: Viewer) -> list[Exchange]:
    """What was answered to those who follow."""

    return [e for viewer in viewers for e in viewer.client.exchanges if e.status == 200]


def _is_stream(exchange: Exchange) -> bool:
    return exchange.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("rig", [Cell("wal", "sync")], indirect=True, ids=str)
def test_one_request_at_a_time_is_no_place_for_streams(rig: Rig) -> None:
    """A sync worker: what asks for a stream is answered at once, and everybody polls to the end."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 100, 40)
    viewers = [recorder.follow(kind, server, chat) for kind in (StreamViewer, PageViewer)]
    viewers.append(recorder.follow(PollViewer, server, chat))
    case = recorder.gather()
    asked = [exchange for exchange in case.exchanges if exchange.method == "GET"]

    assert find_faults(case) == []
    assert {viewer.sight.endings[-1].status for viewer in viewers} == {"completed"}
    assert 503 in {exchange.status for exchange in asked}
    assert not any(len(exchange.pieces) > 30 for exchange in asked)


class Silent:
    """An answer that has begun and says no more, and those who wait for it."""

    def __init__(self, server: Server, person: Person):
        self.server, self.person = server, person
        self.client = Client(server.port, person.name)
        self.conversation = self.client.request("POST", f"{API}/conversations", {}).json()["id"]
        tag = person.tag()
        body = {"content": question(tag, 10, 100, "[[stall=mid]]"), "generate": True}
        path = f"{API}/conversations/{self.conversation}/messages"
        self.message = self.client.request("POST", path, body).json()["message_id"]
        wait_until(lambda: self.read()["content"] == answer(tag, 5), 20)
        self._cursor = ""
        wait_until(lambda: self.poll(0).status == 204, 20)

    def read(self) -> dict[str, Any]:
        """The message as far as it is written."""

        found: dict[str, Any] = self.client.request("GET", self._path("content")).json()

        return found

    def poll(self, wait: int) -> Exchange:
        """What is new to a page."""

        path = f"/chat/c/{self.conversation}/events?cursor={self._cursor}&wait={wait}"
        found = Client(self.server.port, self.person.name).request("GET", path)
        self._cursor = found.headers["x-cursor"]

        return found

    def ask(self, key: str, stream: bool = False) -> Exchange:
        """Something else that is asked meanwhile."""

        body = {"message": question(self.person.tag(), 10, 100), "stream": stream}
        client = Client(self.server.port, self.person.name)

        return client.request("POST", f"{API}/chat", body, {"Idempotency-Key": key})

    def count(self) -> int:
        """How many conversations are stored."""

        return len(self.client.request("GET", f"{API}/conversations").json()["conversations"])

    def stop(self) -> None:
        """End the answer."""

        assert self.client.request("POST", self._path("cancel")).json()["stopped"]

    def _path(self, what: str) -> str:
        return f"{API}/messages/{self.message}/{what}"


@pytest.mark.parametrize("rig", [Cell("embedded", "gthread")], indirect=True, ids=str)
def test_who_waits_never_takes_the_threads_of_the_site(rig: Rig) -> None:
    """Long polls held every thread for 20 s, and answers asked for whole for minutes."""

    (server,) = rig.serve(1, setup=Setup(threads=4))
    silent = Silent(server, Recorder(rig).person("ada"))
    polls = [later(lambda: silent.poll(20)) for _ in range(8)]
    wait_until(lambda: sum(poll.done() for poll in polls) == 6, 10)
    (pid,) = server.pids
    refused = silent.ask("whole")

    assert server.inside()[pid]["streams"] == 2
    assert {poll.result().headers["x-next"] for poll in polls if poll.done()} == {"500"}
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert silent.count() == 1
    silent.stop()
    assert sorted(poll.result(10).status for poll in polls) == [200] * 2 + [204] * 6
    assert silent.ask("whole").json()["status"] == "completed"
    assert server.inside()[pid]["streams"] == 0


@pytest.mark.parametrize("rig", [Cell("wal", "sync")], indirect=True, ids=str)
def test_nobody_waits_where_requests_are_served_one_by_one(rig: Rig) -> None:
    """A worker served nobody else meanwhile, until gunicorn's timeout killed it."""

    (server,) = rig.serve(1)
    silent = Silent(server, Recorder(rig).person("ada"))
    polled = later(lambda: silent.poll(20)).result(10)
    refused = silent.ask("whole")
    stored = silent.count()
    streamed = silent.ask("whole", stream=True)
    (message,) = re.findall(r'"message_id":"(\w+)"', streamed.body.decode())[:1]
    path = f"{API}/messages/{message}/content"

    assert (polled.status, polled.headers["x-next"]) == (204, "500")
    assert (refused.status, "retry-after" in refused.headers) == (503, False)
    assert refused.json()["error"]["code"] == "streams_taken"
    assert stored == 1
    wait_until(lambda: not silent.client.request("GET", path).json()["is_streaming"], 20)
    assert silent.client.request("GET", path).json()["status"] == "completed"
