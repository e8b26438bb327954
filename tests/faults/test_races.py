"""Two workers at once: double submits, stops from elsewhere, viewers of another's answer."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.services import ROOT

from .acts import answer_of, call_of, check_all, post
from .conftest import Pair
from .exchange import Client
from .model import answer, question
from .recorder import Person, Recorder
from .rig import Server, wait_until
from .viewers import API, PollViewer, StreamViewer, Viewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_F33_the_same_submit_twenty_times(pair: Pair, recorder: Recorder) -> None:
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
    case = check_all(recorder)
    mine = [m for m in case.stored.messages.values() if m.conversation_id == conversation_id]

    assert viewer.done.is_set()
    assert len(mine) == 2
    assert case.stored.messages[message_id].text == answer(asked.split()[0], 60)
    assert call_of(recorder, asked)["tokens_sent"] == 60


class _Of:
    """A conversation to follow that no viewer began."""

    def __init__(self, person: Person, conversation_id: str):
        self.owner = person.name
        self.conversation_id = conversation_id


def test_F40_written_here_watched_there(pair: Pair, recorder: Recorder) -> None:
    """F40, small: viewers on the other worker get the same text to the end."""

    ada, grace = recorder.person("ada"), recorder.person("grace")
    chats = [recorder.ask(pair.a, ada, 200, 80), recorder.ask(pair.b, grace, 200, 80)]

    for chat, server in zip(chats, (pair.b, pair.a), strict=True):
        recorder.follow_all(server, chat, each=2)

    recorder.snapshot()
    case = check_all(recorder)

    assert {e.status for _, sight in case.sights.values() for e in sight.endings} == {"completed"}


def test_F36_a_crowd_that_comes_and_goes(pair: Pair, recorder: Recorder) -> None:
    """Viewers who join, leave and resume all along see nothing twice and miss nothing."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 300, 120)
    length = len(answer(chat.question.split()[0], 300))

    for position in range(0, length, length // 20):
        recorder.wait_shown([chat], position)
        server = recorder.random.choice((pair.a, pair.b))
        fresh = recorder.follow_all(server, chat)
        recorder.wait_shown(fresh)
        resumed = recorder.random.choice(recorder.viewers)
        hang_up_on(resumed, recorder)

    check_all(recorder)


def hang_up_on(viewer: Viewer, recorder: Recorder) -> None:
    """Break a viewer's connection, and let it come back to the other worker."""

    ports = {server.port for server in recorder.rig.servers} - {viewer.client.port}
    viewer.client.port = ports.pop()
    viewer.client.hang_up()


@pytest.mark.parametrize("directive", ["", "[[stall=headers]]", "[[stall=mid]]"])
def test_F43_F44_stopped_from_elsewhere(pair: Pair, recorder: Recorder, directive: str) -> None:
    """D7: a stop on the other worker closes the provider within a second, and stays."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 3000 if not directive else 40, 100, directive)
    viewers: list[Viewer] = [chat, *recorder.follow_all(pair.b, chat)]
    wait_until(lambda: has_begun(recorder, chat.question, directive), 10)
    message_id = message_of(recorder, chat)
    stopped = post(recorder.client(pair.b, ada), f"/messages/{message_id}/cancel")
    at = time.monotonic()
    wait_until(lambda: call_of(recorder, chat.question)["closed_at"], 5)
    check_all(recorder)

    assert stopped == {**stopped, "status": "cancelled", "stopped": True}
    assert call_of(recorder, chat.question)["closed_at"] - at < 1.0
    assert {e.status for v in viewers for e in v.sight.endings} == {"cancelled"}


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


def test_F43_two_stops_at_once(pair: Pair, recorder: Recorder) -> None:
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

    check_all(recorder)

    assert sorted(reply["stopped"] for reply in replies) == [False, True]
    assert {reply["status"] for reply in replies} == {"cancelled"}


def test_F42_stopped_at_the_very_end(pair: Pair, recorder: Recorder) -> None:
    """F42, small: a stop and the end at once; one of them wins, for everybody."""

    ada = recorder.person("ada")

    for n in range(8):
        chat = recorder.ask(pair.a, ada, 60, 400)
        recorder.follow_all(pair.b, chat)
        recorder.wait_shown([chat], recorder.random.randrange(300, 600))
        post(recorder.client((pair.a, pair.b)[n % 2], ada), f"/messages/{answer_of(chat)}/cancel")

    check_all(recorder)


def test_F45_stopped_and_asked_again(pair: Pair, recorder: Recorder) -> None:
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
    case = check_all(recorder)
    statuses = {id: m.status for id, m in case.stored.messages.items()}

    assert (statuses[first], statuses[again["message_id"]]) == ("cancelled", "completed")
    assert {answer_of(viewer) for viewer in viewers} == {again["message_id"]}


def test_F46_deleted_in_mid_answer(pair: Pair, recorder: Recorder) -> None:
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
    case = check_all(recorder, {answer_of(chat): whole})

    assert deleted.status == 204
    assert ended < 5
    assert call_of(recorder, chat.question)["closed_at"] - at < 1.0
    assert ada.canary not in case.dump.replace(ada.name, "")


def test_F22_refused_by_the_provider(pair: Pair, recorder: Recorder) -> None:
    """I9: what a provider says with a refusal, the key included, stays out of everything."""

    ada = recorder.person("ada")
    chat = recorder.ask(pair.a, ada, 10, 100, "[[status=401 leak=yes]]")
    recorder.follow_all(pair.b, chat)
    check_all(recorder)

    assert chat.sight.endings[-1].error_code == "authentication"


@pytest.mark.faults
@pytest.mark.parametrize("act", ["claim", "revoke"])
def test_F46_another_owner_or_none(pair: Pair, recorder: Recorder, act: str) -> None:
    """F46: who lost the conversation, or the right to look, is sent away within seconds from both
    workers; the answer is written on."""

    ada, eve = recorder.person("ada"), recorder.person("eve")
    chat = recorder.ask(pair.a, ada, 600, 50)
    viewers = [recorder.follow(StreamViewer, server, chat) for server in (pair.a, pair.b)]
    recorder.wait_shown(viewers, 20)
    before = [viewer.connections for viewer in viewers]
    run_command(pair.a, act, ada.name, *([eve.name] if act == "claim" else []))
    began = time.monotonic()
    wait_until(lambda: all(v.connections > n for v, n in zip(viewers, before, strict=True)), 10)
    took = time.monotonic() - began
    client = recorder.client(pair.b, eve if act == "claim" else ada)
    path = f"{API}/messages/{answer_of(chat)}/content"
    wait_until(lambda: not client.request("GET", path).json()["is_streaming"], 60)
    whole = answer(chat.question.split()[0], 600)

    assert took < 5
    assert client.request("GET", path).json()["content"] == whole
    assert all(viewer.is_gone == (act == "claim") for viewer in viewers)


def run_command(server: Server, *arguments: str) -> None:
    """One of the site's own commands."""

    site = [sys.executable, "-m", "flask", "--app", "tests.faults.host:app"]
    command = [*site, "chatstream", "owner", *arguments]
    subprocess.run(command, check=True, cwd=ROOT, env=server.environment, timeout=60)
