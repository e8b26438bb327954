"""Two workers at once: double submits, stops from elsewhere, viewers of another's answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .checker import find_faults
from .conftest import Pair
from .exchange import Client
from .model import answer, question
from .recorder import Person, Recorder
from .rig import wait_until
from .viewers import API, PollViewer, StreamViewer, Viewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def recorder(pair: Pair) -> Recorder:
    """Whoever looks at the pair in this test."""

    return Recorder(pair.rig, pair.before)


def call_of(recorder: Recorder, prompt: str) -> dict[str, Any]:
    """The provider's one call for a question."""

    (call,) = (c for c in recorder.rig.calls() if c["messages"][-1]["content"] == prompt)

    return call


def answer_of(viewer: Viewer) -> str:
    """The id of the answer that a viewer follows."""

    (id,) = {piece.message_id for piece in viewer.sight.pieces}

    return id


def post(client: Client, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """The JSON that a successful POST gives."""

    found = client.request("POST", f"{API}{path}", body, headers)
    assert found.status in (200, 201), (found.status, found.body)
    value: dict[str, Any] = found.json()

    return value


def test_the_same_submit_twenty_times(pair: Pair, recorder: Recorder) -> None:
    """F33: one pair of messages, one call of the provider."""

    ada = recorder.person("ada")
    asked = question(ada.tag(), 60, 100)
    key = {"Idempotency-Key": f"double-{ada.canary}"}
    barrier = threading.Barrier(20)

    def submit(n: int) -> tuple[str, str, str]:
        client = recorder.client((pair.a, pair.b)[n % 2], ada)
        barrier.wait()
        value = post(client, "/chat", {"message": asked, "stream": False}, **key)

        return value["conversation_id"], value["user_message_id"], value["message_id"]

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(submit, range(20)))

    ((conversation_id, _, message_id),) = answers
    viewer = recorder.follow(StreamViewer, pair.a, _Of(ada, conversation_id))
    case = recorder.gather()
    mine = [m for m in case.stored.messages.values() if m.conversation_id == conversation_id]

    assert viewer.done.is_set()
    assert len(mine) == 2
    assert case.stored.messages[message_id].text == answer(asked.split()[0], 60)
    assert call_of(recorder, asked)["tokens_sent"] == 60
    assert find_faults(case) == []


class _Of:
    """A conversation to follow that no viewer began."""

    def __init__(self, person: Person, conversation_id: str):
        self.owner = person.name
        self.conversation_id = conversation_id


def test_written_here_watched_there(pair: Pair, recorder: Recorder) -> None:
    """F40, small: viewers on the other worker get the same text to the end."""

    ada, grace = recorder.person("ada"), recorder.person("grace")
    chats = [recorder.ask(pair.a, ada, 200, 80), recorder.ask(pair.b, grace, 200, 80)]

    for chat, server in zip(chats, (pair.b, pair.a), strict=True):
        recorder.follow_all(server, chat, each=2)

    recorder.snapshot()
    case = recorder.gather()

    assert find_faults(case) == []
    assert {e.status for _, sight in case.sights.values() for e in sight.endings} == {"completed"}


def test_a_crowd_that_comes_and_goes(pair: Pair, recorder: Recorder) -> None:
    """Viewers who join, leave and resume at every position see nothing twice and miss nothing."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 300, 120)

    while not chat.done.is_set():
        server = recorder.random.choice((pair.a, pair.b))
        fresh = recorder.follow_all(server, chat)
        recorder.wait_shown(fresh)
        resumed = recorder.random.choice(recorder.viewers)
        hang_up_on(resumed, recorder)

    assert find_faults(recorder.gather()) == []


def hang_up_on(viewer: Viewer, recorder: Recorder) -> None:
    """Break a viewer's connection, and let it come back to the other worker."""

    ports = {server.port for server in recorder.rig.servers} - {viewer.client.port}
    viewer.client.port = ports.pop()
    viewer.client.hang_up()


@pytest.mark.parametrize("directive", ["", "[[stall=headers]]", "[[stall=mid]]"])
def test_stopped_from_elsewhere(pair: Pair, recorder: Recorder, directive: str) -> None:
    """D7: a stop on the other worker closes the provider within a second, and stays."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 3000 if not directive else 40, 100, directive)
    viewers: list[Viewer] = [chat, *recorder.follow_all(pair.b, chat)]
    wait_until(lambda: has_begun(recorder, chat.question, directive), 10)
    message_id = message_of(recorder, chat)
    stopped = post(recorder.client(pair.b, ada), f"/messages/{message_id}/cancel")
    at = time.monotonic()
    wait_until(lambda: call_of(recorder, chat.question)["closed_at"], 5)
    case = recorder.gather()

    assert stopped == {**stopped, "status": "cancelled", "stopped": True}
    assert call_of(recorder, chat.question)["closed_at"] - at < 1.0
    assert {e.status for v in viewers for e in v.sight.endings} == {"cancelled"}
    assert find_faults(case) == []


def has_begun(recorder: Recorder, prompt: str, directive: str) -> bool:
    """Whether the provider has come to where the test wants it."""

    calls = [c for c in recorder.rig.calls() if c["messages"][-1]["content"] == prompt]
    least = {"[[stall=headers]]": 0, "[[stall=mid]]": 20}.get(directive, 30)

    return bool(calls) and calls[0]["tokens_sent"] >= least


def message_of(recorder: Recorder, viewer: Viewer) -> str:
    """The id of the newest answer in a viewer's conversation."""

    return max(
        g.message_id
        for g in recorder.snapshot().generations
        if g.conversation_id == viewer.conversation_id
    )


def test_two_stops_at_once(pair: Pair, recorder: Recorder) -> None:
    """F43: one stops, the other finds it stopped; both say the same state."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 3000, 100)
    recorder.follow_all(pair.b, chat)
    recorder.wait_shown([chat], 20)
    path = f"/messages/{answer_of(chat)}/cancel"
    barrier = threading.Barrier(2)

    def stop(client: Client) -> dict[str, Any]:
        barrier.wait()

        return post(client, path)

    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(stop, [recorder.client(s, ada) for s in (pair.a, pair.b)]))

    case = recorder.gather()

    assert sorted(reply["stopped"] for reply in replies) == [False, True]
    assert {reply["status"] for reply in replies} == {"cancelled"}
    assert find_faults(case) == []


def test_stopped_at_the_very_end(pair: Pair, recorder: Recorder) -> None:
    """F42, small: a stop and the end at once; one of them wins, for everybody."""

    ada = recorder.person("ada")

    for n in range(8):
        chat = recorder.ask(pair.a, ada, 60, 400)
        recorder.follow_all(pair.b, chat)
        recorder.wait_shown([chat], recorder.random.randrange(300, 600))
        post(recorder.client((pair.a, pair.b)[n % 2], ada), f"/messages/{answer_of(chat)}/cancel")

    assert find_faults(recorder.gather()) == []


def test_stopped_and_asked_again(pair: Pair, recorder: Recorder) -> None:
    """F45: late chunks of the stopped answer never reach the new one."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 100, 100)
    recorder.follow(PollViewer, pair.b, chat)
    recorder.wait_shown([chat], 100)
    first = answer_of(chat)
    client = recorder.client(pair.b, ada)
    post(client, f"/messages/{first}/cancel")
    again = post(client, f"/messages/{first}/regenerate")
    viewers = [recorder.follow(StreamViewer, server, chat) for server in (pair.a, pair.b)]
    case = recorder.gather()
    statuses = {id: m.status for id, m in case.stored.messages.items()}

    assert (statuses[first], statuses[again["message_id"]]) == ("cancelled", "completed")
    assert {answer_of(viewer) for viewer in viewers} == {again["message_id"]}
    assert find_faults(case) == []


def test_deleted_in_mid_answer(pair: Pair, recorder: Recorder) -> None:
    """F46: viewers on both workers are told within seconds, the provider is closed at once."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 3000, 100)
    viewers = [chat, *recorder.follow_all(pair.a, chat), *recorder.follow_all(pair.b, chat)]
    recorder.wait_shown(viewers, 10)
    client = recorder.client(pair.b, ada)
    deleted = client.request("DELETE", f"{API}/conversations/{chat.conversation_id}")
    at = time.monotonic()
    wait_until(lambda: all(viewer.done.is_set() for viewer in viewers), 8)
    ended = time.monotonic() - at
    wait_until(lambda: call_of(recorder, chat.question)["closed_at"], 5)
    whole = answer(chat.question.split()[0], 3000)
    case = recorder.gather(deleted={answer_of(chat): whole})

    assert deleted.status == 204
    assert ended < 5
    assert call_of(recorder, chat.question)["closed_at"] - at < 1.0
    assert ada.canary not in case.dump.replace(ada.name, "")
    assert find_faults(case) == []


def test_refused_by_the_provider(pair: Pair, recorder: Recorder) -> None:
    """I9: what a provider says with a refusal, the key included, stays out of everything."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 10, 100, "[[status=401 leak=yes]]")
    recorder.follow_all(pair.b, chat)
    case = recorder.gather()

    assert chat.sight.endings[-1].error_code == "authentication"
    assert find_faults(case) == []
