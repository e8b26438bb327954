"""Viewers who vanish, do not read, come back anywhere or with anything (F31 to F37, F40, F41)."""

from __future__ import annotations

import json
import statistics
import time
from contextlib import closing
from urllib.parse import quote

import pytest

from flask_chatstream.sse import Decoder

from .acts import answer_of, check_all, stop
from .conftest import Pair
from .crowd import Crowd
from .exchange import Client, Exchange
from .model import answer
from .recorder import Person, Recorder
from .rig import Rig, Server, Setup, wait_until
from .viewers import API, PageViewer, StreamViewer, Viewer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.cells("postgres-gevent"),
]

HOSTILE = (
    "-1",
    "0:-1",
    "1:999999999999",
    "99999999999999999999:0",
    "1e3:0",
    "1:0:0",
    "\u0661:\u0662",
    "\0",
    "a\r\nSet-Cookie: b=c",
    "' OR 1=1 --",
    "../../etc/passwd",
    "0" * 20_000,
)


def test_F31_many_vanish(pair: Pair, recorder: Recorder, is_long: bool) -> None:
    """F31: with a FIN, with an RST, without a word; the answer goes on, and all is given back."""

    size = 1000 if is_long else 90
    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 300 if is_long else 100, 20)
    recorder.follow_all(pair.b, chat)

    with closing(Crowd(chat, [pair.a.port, pair.b.port], size)) as crowd:
        crowd.fill()
        crowd.wait(lambda: sum(seat.has_begun for seat in crowd.seats) >= len(crowd.seats) / 2, 30)
        politely, rudely = crowd.seats[: size // 3], crowd.seats[size // 3 : 2 * size // 3]
        crowd.leave(politely, politely=True)
        crowd.leave(rudely, politely=False)
        assert chat.done.wait(60)

    case = check_all(recorder)

    answered = case.stored.messages[answer_of(chat)]
    assert (answered.status, answered.error_code) == ("completed", None)


def test_F34_resumed_at_every_position(pair: Pair, recorder: Recorder) -> None:
    """F34: exactly the rest, on the worker that wrote it and on the other."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 14, 200)
    assert chat.done.wait(20)
    text = answer(chat.question.split()[0], 14)
    generation, _, _ = chat.last_id.partition(":")

    for server in (pair.a, pair.b):
        client = recorder.client(server, ada)
        path = f"{API}/conversations/{chat.conversation_id}/stream"
        rests = [
            resumed(client.request("GET", path, headers={"Last-Event-ID": f"{generation}:{n}"}))
            for n in range(len(text) + 1)
        ]

        assert rests == [text[n:] for n in range(len(text) + 1)]

    check_all(recorder)


def resumed(exchange: Exchange) -> str:
    """The text of a stream that was resumed, without a reset."""

    events = [json.loads(event.data) for event in Decoder().feed(exchange.body)]
    assert {event["type"] for event in events} <= {"delta", "end"}

    return "".join(event.get("delta", "") for event in events)


def test_F35_hostile_cursors(pair: Pair, recorder: Recorder) -> None:
    """F35: everything or a refusal, at once; never another stream's text."""

    ada, grace = recorder.person("ada"), recorder.person("grace")
    chats = [recorder.ask(pair.a, person, 30, 200) for person in (ada, grace)]
    assert all(chat.done.wait(20) for chat in chats)
    foreign = (chats[1].last_id, chats[1].last_id.partition(":")[0] + ":0")

    for cursor in (*HOSTILE, *foreign):
        for exchange in with_cursor(recorder, pair.b, ada, chats[0], cursor):
            assert exchange.status in (200, 204, 400, 414, 431), (cursor[:40], exchange.path[:80])
            assert exchange.took < 5
            assert "set-cookie" not in exchange.headers

    check_all(recorder)


def with_cursor(
    recorder: Recorder, server: Server, person: Person, viewer: Viewer, cursor: str
) -> list[Exchange]:
    """A cursor at every door that takes one."""

    client: Client = recorder.client(server, person)
    quoted = quote(cursor, safe="")
    conversation = f"{API}/conversations/{viewer.conversation_id}"
    page = f"/chat/c/{viewer.conversation_id}/events"
    doors = [
        (f"{conversation}/stream?last_event_id={quoted}", {}),
        (f"{conversation}/poll?since={quoted}", {}),
        (f"{page}?cursor={quoted}", {"Accept": "text/event-stream"}),
        (f"{page}?cursor={quoted}&wait=1", {}),
    ]

    if cursor.isascii() and cursor.isprintable():
        doors.append((f"{conversation}/stream", {"Last-Event-ID": cursor}))

    return [client.request("GET", path, headers=headers) for path, headers in doors]


class ReplayingViewer(PageViewer):
    """A page that is sent what it has seen already: it comes back with the cursor before last."""

    def follow(self) -> bool:
        before = self.page.cursor
        is_over = super().follow()
        self.page.cursor = before if is_over and self.connections < 5 else self.page.cursor

        return is_over and self.connections >= 5


def test_F37_the_same_again_and_late(pair: Pair, recorder: Recorder) -> None:
    """F37: fragments that come twice leave the page as it is; the script has a test of its own."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 100, 100)
    viewers = [recorder.follow(ReplayingViewer, server, chat) for server in (pair.a, pair.b)]
    check_all(recorder)

    assert min(viewer.connections for viewer in viewers) >= 5


@pytest.mark.faults
def test_F32_viewers_that_never_read(pair: Pair, recorder: Recorder) -> None:
    """F32: the others are shown everything in time; who takes nothing for 30 s is sent away.

    The page's stream, because it is sent a growing paragraph anew: more than a kernel keeps.
    """

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 30_000, 400, "[[kind=flat]]")
    page = f"/chat/c/{chat.conversation_id}/events"
    (pid,) = pair.a.pids
    began = time.monotonic()

    with closing(Crowd(chat, [pair.a.port], 8, buffer=2048, path=page)) as crowd:
        crowd.fill()
        wait_until(lambda: pair.a.inside()[pid]["streams"] >= 9, 20)
        others = recorder.follow_all(pair.b, chat)
        wait_until(lambda: time.monotonic() > began + 50, 60)
        seen = min(viewer.length() for viewer in (chat, *others))
        wait_until(lambda: pair.a.inside()[pid]["streams"] <= 1, 40)
        took = time.monotonic() - began

    stop(recorder, pair.b, [chat])
    check_all(recorder)

    assert seen > 10_000
    assert took < 75


@pytest.mark.faults
def test_F40_the_lag_of_the_other_worker(pair: Pair, recorder: Recorder) -> None:
    """F40: text is shown there 300 ms after here at the latest, 95 times of 100."""

    chats = [recorder.ask(pair.a, recorder.person(f"p{n}"), 400, 50) for n in range(3)]
    far = [recorder.follow(StreamViewer, pair.b, chat) for chat in chats]
    check_all(recorder)
    lags = [lag for near, there in zip(chats, far, strict=True) for lag in lags_of(near, there)]

    assert statistics.quantiles(lags, n=100)[94] <= 0.3


def lags_of(near: Viewer, far: Viewer) -> list[float]:
    """How much later each position was shown to the one than to the other."""

    shown = [(piece.start + len(piece.text), piece.at) for piece in near.sight.pieces]
    lags = []

    for piece in far.sight.pieces:
        end = piece.start + len(piece.text)
        lags += [max(0.0, piece.at - at) for position, at in shown if piece.start < position <= end]

    return lags


@pytest.mark.faults
def test_F41_everybody_comes_back_after_a_restart(rig: Rig) -> None:
    """F41: 1,000 viewers are told the end within 30 s of a restart."""

    (server,) = rig.serve(2, setup=Setup(arguments=("--worker-connections", "2000")))
    recorder = Recorder(rig)
    chat = recorder.ask(server, recorder.person("ada"), 4000, 50)

    with closing(Crowd(chat, [server.port], 1000)) as crowd:
        crowd.fill()
        crowd.wait(lambda: any(seat.has_begun for seat in crowd.seats), 30)
        server.kill()
        server.start()
        server.wait_ready()
        took = crowd.wait(lambda: crowd.ended == 1000, 60)

    check_all(recorder)

    assert took < 30
