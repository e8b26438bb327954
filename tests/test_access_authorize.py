"""The site's own rule: asked for every act, before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import request

from flask_chatstream import Refused
from flask_chatstream.access import ACTS
from flask_chatstream.models import Conversation, Message, new_id
from flask_chatstream.testing import Pause
from flask_chatstream.views.allowed import ACT_OF
from tests.hosts import API, SSE, Host, begin, content, open_host
from tests.logins import open_site
from tests.services import ROOT
from tests.urls import FOREIGN, OWN, ROUTES, Made, Route, call, make, names

ADA = {"X-User": "ada"}
BOB = {"X-User": "bob"}
#: What nobody owns.
OPEN = {
    "GET /token",
    "GET /chatstream-static/<path:filename>",
    f"GET {API.removeprefix('/chat')}/doctor",
    f"GET {API.removeprefix('/chat')}/healthz",
}
OWNED = tuple(route for route in ROUTES if route.name not in OPEN)
Asked = tuple[str, str, str | None]


class Rule:
    """A site's rule that writes down what it was asked."""

    def __init__(self) -> None:
        self.answer: object = True
        self.asked: list[Asked] = []

    def __call__(self, act: str, owner: str, object: str | None) -> bool:
        self.asked.append((act, owner, object))

        if isinstance(self.answer, Exception):
            raise self.answer

        return self.answer  # type: ignore[return-value]


@pytest.fixture
def rule() -> Rule:
    return Rule()


@pytest.fixture
def host(tmp_path: Path, rule: Rule) -> Iterator[Host]:
    """A site whose users are named in a header, with a rule about them."""

    with open_host(tmp_path) as host:
        set_up(host, rule)

        yield host


def set_up(host: Host, rule: Rule) -> None:
    host.chat.owner_loader(lambda: request.headers.get("X-User"))
    host.chat.authorize(rule)


def made(host: Host, rule: Rule) -> Made:
    client = host.client()
    client.environ_base["HTTP_X_USER"] = "ada"
    found = make(host, client)
    rule.asked.clear()

    return found


def stored(host: Host) -> list[tuple[str, int, str]]:
    with host.read() as session:
        found = session.query(Conversation).order_by(Conversation.id).all()
        count = session.query(Message).count()

        return [(c.id, c.version + count, c.title) for c in found]


@pytest.mark.parametrize("route", OWNED, ids=names(OWNED))
def test_every_act_is_asked_for_and_refused(host: Host, rule: Rule, route: Route) -> None:
    mine = made(host, rule)
    before = stored(host)
    rule.answer = False
    own = call(host.client(), route, mine, ADA)
    foreign = call(host.client(), route, mine, BOB)
    missing = call(host.client(), route, Made(new_id(), new_id(), new_id()), ADA)

    assert own.status_code == 403
    assert "You may not do this here." in own.get_data(as_text=True)
    expected = 404 if route.status[FOREIGN] == 404 else 403
    assert (foreign.status_code, missing.status_code) == (expected, expected)
    assert stored(host) == before
    act, owner, object = rule.asked[0]
    assert act in ACTS
    assert owner == "ada"
    assert object in (None, mine.conversation_id, mine.message_id)
    assert (object is None) is not route.is_of_object


@pytest.mark.parametrize("route", OWNED, ids=names(OWNED))
def test_an_act_that_is_allowed_goes_on(host: Host, rule: Rule, route: Route) -> None:
    response = call(host.client(), route, made(host, rule), ADA)

    assert response.status_code == route.status[OWN]
    assert rule.asked


@pytest.mark.parametrize("answer", [False, None, 0, ""])
def test_only_a_yes_is_one(host: Host, rule: Rule, answer: object) -> None:
    rule.answer = answer
    refused = host.client().get(f"{API}/conversations", headers=ADA)

    assert refused.status_code == 403
    assert refused.get_json()["error"]["code"] == "not_allowed"


def test_an_exception_goes_on(host: Host, rule: Rule) -> None:
    rule.answer = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        host.client().get("/chat/", headers=ADA)


def test_a_rule_may_have_words_of_its_own(host: Host, rule: Rule) -> None:
    rule.answer = Refused("Your plan has no chat.", code="no_plan")
    error = host.client().post(f"{API}/chat", json={"message": "Hi"}, headers=ADA).get_json()

    assert error["error"]["code"] == "no_plan"
    assert error["error"]["message"] == "Your plan has no chat."


def test_asking_in_a_conversation_names_it(host: Host, rule: Rule) -> None:
    mine = made(host, rule)
    body = {"message": "Hi", "conversation_id": mine.conversation_id, "stream": False}
    host.client().post(f"{API}/chat", json=body, headers=ADA)
    host.client().post(f"{API}/chat", json={**body, "conversation_id": None}, headers=ADA)

    assert rule.asked == [("ask", "ada", mine.conversation_id), ("ask", "ada", None)]


def test_a_lost_permission_is_seen_at_the_next_reconnect(host: Host, rule: Rule) -> None:
    gate = Pause()
    host.provider.enqueue("Half ", gate)
    client = host.client()
    client.environ_base["HTTP_X_USER"] = "ada"
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half ")
    rule.answer = False
    url = f"/chat/c/{asked['conversation_id']}/events"

    assert client.get(url, headers=SSE).status_code == 403
    assert client.get(url).status_code == 403
    rule.answer = True
    gate.release()
    host.wait_end(asked["message_id"])
    assert content(client, asked["message_id"])["content"] == "Half "


def test_host_code_is_not_asked(host: Host, rule: Rule) -> None:
    rule.answer = False
    with host.app.app_context():
        assert host.chat.ask("Hi", owner="ada").wait(10).status == "completed"

    assert rule.asked == []


@pytest.mark.every_database
def test_it_is_the_same_on_every_database(tmp_path: Path, database_url: str, rule: Rule) -> None:
    with open_site(tmp_path, database_url) as host:
        set_up(host, rule)
        mine = made(host, rule)
        before = stored(host)
        rule.answer = False
        found = {
            name: [call(host.client(), route, mine, who).status_code for who in (ADA, BOB)]
            for name, route in zip(names(OWNED), OWNED, strict=True)
        }

        assert stored(host) == before
        assert set(map(tuple, found.values())) == {(403, 404), (403, 403)}


def test_every_view_has_an_act(host: Host) -> None:
    prefix = "chatstream."
    views = {e.removeprefix(prefix) for e in host.app.view_functions if e.startswith(prefix)}

    assert views - set(ACT_OF) == {
        "static",
        "token",
        "api_doctor",
        "api_healthz",
        "api_unknown",
    }
    assert {act for act in ACT_OF.values() if act} == ACTS


def test_the_acts_are_documented_and_no_other() -> None:
    section = (ROOT / "docs" / "logins.md").read_text().partition("## What they may do")[2]
    table = section.partition("\n## ")[0]
    found = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}

    assert found == ACTS
