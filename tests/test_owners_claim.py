"""Who signs in takes the chats of the anonymous visitor along: all of them, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from werkzeug.http import parse_cookie

from flask_chatstream import SignInRequired
from flask_chatstream.access import COOKIE
from flask_chatstream.models import (
    Conversation,
    Folder,
    Generation,
    Reaction,
    Share,
    Submission,
    Tag,
    Visitor,
    new_id,
)
from flask_chatstream.storage import now
from flask_chatstream.testing import Pause
from tests.hosts import API, SSE, Host, begin, chat, content, events_of, open_host, together
from tests.logins import add_flask_login, open_site

#: Whatever an anonymous visitor may begin with.
QUESTIONS = [
    (f"{API}/chat", {"json": {"message": "Hi", "stream": False}}),
    (f"{API}/conversations", {"json": {}}),
    ("/chat/c", {"data": {"content": "Hi"}}),
]
TABLES = (Conversation, Generation, Submission, Folder, Tag, Share, Reaction)


@pytest.fixture(params=["session", "flask_login"])
def host(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Host]:
    with open_site(tmp_path, database_url, request.param) as host:
        yield host


@pytest.fixture
def anywhere(database_url: str, tmp_path: Path) -> Iterator[Host]:
    """A site for what is the same with every log-in."""

    with open_site(tmp_path, database_url) as host:
        yield host


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Host]:
    """A site for what is the same on every database."""

    with open_site(tmp_path, f"sqlite:///{tmp_path}/chat.sqlite3") as host:
        yield host


def cookie_of(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE)
    assert found is not None

    return found.value


def with_cookie(host: Host, value: str) -> FlaskClient:
    """Somebody who has kept an anonymous id."""

    client = host.client()
    client.set_cookie(COOKIE, value)

    return client


def owners(host: Host) -> dict[str, set[str]]:
    """Who has rows in which table."""

    with host.read() as session:
        return {t.__tablename__: set(session.scalars(select(t.owner))) for t in TABLES}


def hang_on(host: Host, ids: dict[str, str]) -> str:
    """A folder, a tag, a share and a reaction of a conversation's owner; who that is."""

    with host.read() as session:
        owner = session.get_one(Conversation, ids["conversation_id"]).owner
        moment = now(session)
        place = {"conversation_id": ids["conversation_id"], "owner": owner}
        times = {"created_at": moment, "updated_at": moment}
        message = ids["message_id"]
        session.add(Folder(owner=owner, mount="chatstream", name="Work", created_at=moment))
        session.add(Tag(name="tea", **place))
        session.add(Share(message_id=message, token=new_id(), created_at=moment, **place))
        session.add(Reaction(message_id=message, owner=owner, value=1, **times))
        session.commit()

    return owner


@pytest.mark.every_database
def test_everything_goes_over(host: Host) -> None:
    client = host.client()
    asked = chat(client, "Where is my order?")
    key = {"Idempotency-Key": "one"}
    keyed = client.post(f"{API}/chat", json={"message": "And?", "stream": False}, headers=key)
    hang_on(host, asked)
    assert client.get("/in/ada?claim=1").text == "2"

    assert owners(host) == {table.__tablename__: {"ada"} for table in TABLES}
    assert len(client.get(f"{API}/conversations").get_json()["conversations"]) == 2
    assert content(client, asked["message_id"])["status"] == "completed"
    again = client.post(f"{API}/chat", json={"message": "And?", "stream": False}, headers=key)
    assert again.get_json()["message_id"] == keyed.get_json()["message_id"]


def test_the_anonymous_id_is_worth_nothing_afterwards(host: Host) -> None:
    client = host.client()
    asked = chat(client)
    before = cookie_of(client)
    response = client.get("/in/ada?claim=1")
    assert parse_cookie(response.headers["Set-Cookie"])[COOKIE] == ""
    assert client.get_cookie(COOKIE) is None

    thief = with_cookie(host, before)
    assert thief.get(f"{API}/conversations/{asked['conversation_id']}").status_code == 404
    assert thief.get(f"{API}/conversations").get_json()["conversations"] == []
    assert thief.get("/in/eve?claim=1").text == "0"
    assert owners(host)["chatstream_conversation"] == {"ada"}

    client.get("/out")
    client.get("/chat/")
    assert cookie_of(client) != before


def test_a_kept_cookie_is_a_new_visitors(anywhere: Host) -> None:
    host, client = anywhere, anywhere.client()
    chat(client)
    before = cookie_of(client)
    client.get("/in/ada?claim=1")
    thief = with_cookie(host, before)
    seen: list[str] = []
    host.chat.authorize(lambda act, owner, object: not seen.append(owner))
    page = thief.get("/chat/")
    asked = chat(thief)

    assert parse_cookie(page.headers["Set-Cookie"])[COOKIE] == cookie_of(thief) != before
    with host.read() as session:
        stored = session.get_one(Conversation, asked["conversation_id"]).owner
        claimed = session.scalars(select(Visitor.owner).where(Visitor.claimed_at.is_not(None)))
        assert stored.startswith("anonymous:")
        assert set(seen) == {stored}
        assert stored not in claimed


@pytest.mark.parametrize(("path", "body"), QUESTIONS)
def test_a_question_of_the_very_moment_is_refused_and_asked_again(
    anywhere: Host, path: str, body: dict[str, Any]
) -> None:
    """It stayed with the anonymous id, where nobody finds it."""

    host, client = anywhere, anywhere.client()
    chat(client)
    before, claims = cookie_of(client), []

    @host.chat.authorize
    def claim_now(act: str, owner: str, object: str | None) -> bool:
        if owner.startswith("anonymous:") and not claims:
            claims.append(with_cookie(host, before).get("/in/ada?claim=1").text)

        return True

    refused = with_cookie(host, before).post(path, **body)
    client.get("/in/ada")
    again = client.post(path, **body, buffered=True)

    assert (claims, refused.status_code) == (["1"], 409)
    assert "You have signed in meanwhile. Please send it again." in refused.text
    assert again.status_code in (200, 201, 303)
    assert owners(host)["chatstream_conversation"] == {"ada"}


@pytest.mark.every_database
def test_whoever_asks_while_somebody_claims_leaves_nothing_behind(anywhere: Host) -> None:
    host, client = anywhere, anywhere.client()
    chat(client)
    before = cookie_of(client)
    acts = iter(["ask", "ask", "ask", "claim", "ask", "ask", "ask"])

    def act() -> None:
        browser = with_cookie(host, before)

        if next(acts) == "claim":
            browser.get("/in/ada?claim=1")
        else:
            browser.post("/chat/c", data={"content": "Hi"})

    together(act, 7)

    with host.read() as session:
        (claimed,) = session.scalars(select(Visitor.owner).where(Visitor.claimed_at.is_not(None)))

    assert claimed not in set.union(*owners(host).values())


def test_a_second_claim_finds_nothing(host: Host) -> None:
    client = host.client()
    chat(client)

    assert [client.get("/in/ada?claim=1").text for _ in range(3)] == ["1", "0", "0"]


@pytest.mark.every_database
def test_many_at_once_claim_once(host: Host) -> None:
    client = host.client()
    chat(client), chat(client)
    before = cookie_of(client)
    found: list[str] = []
    together(lambda: found.append(with_cookie(host, before).get("/in/ada?claim=1").text), 6)

    assert sorted(found) == ["0"] * 5 + ["2"]


@pytest.mark.every_database
def test_an_answer_that_is_being_written_goes_along(host: Host) -> None:
    gate = Pause()
    host.provider.enqueue("Half ", gate, "and half.")
    client = host.client()
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half ")
    assert client.get("/in/ada?claim=1").text == "1"
    assert content(client, asked["message_id"])["status"] == "generating"
    gate.release()
    host.wait_end(asked["message_id"])

    assert content(client, asked["message_id"])["content"] == "Half and half."
    assert host.generation(asked["generation_id"]).owner == "ada"


def test_who_has_signed_in_can_stop_it(host: Host) -> None:
    host.provider.enqueue("Half ", Pause())
    client = host.client()
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half ")
    before = cookie_of(client)
    client.get("/in/ada?claim=1")
    stop = f"{API}/messages/{asked['message_id']}/cancel"

    assert with_cookie(host, before).post(stop).status_code == 404
    assert client.post(stop).get_json()["stopped"] is True


def test_a_stream_of_before_ends_so_that_the_page_comes_back(host: Host) -> None:
    gate = Pause()
    host.provider.enqueue("Half ", gate, "and half.")
    client = host.client()
    asked = begin(client)
    url = f"/chat/c/{asked['conversation_id']}/events"
    stream = client.get(url, headers=SSE, buffered=False)
    events = events_of(stream)
    next(events)
    client.get("/in/ada?claim=1")
    kinds = [event.event for event in events]

    assert not {"gone", "end"} & set(kinds)
    assert client.get(url).status_code in (200, 204)
    gate.release()
    assert [e.event for e in events_of(client.get(url, headers=SSE, buffered=False))][-1] == "end"


def test_a_stream_of_the_api_ends_too(host: Host) -> None:
    host.provider.enqueue("Half ", Pause())
    client = host.client()
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half ")
    url = f"{API}/conversations/{asked['conversation_id']}/stream"
    events = events_of(client.get(url, headers=SSE, buffered=False))
    next(events)
    client.get("/in/ada?claim=1")

    assert not [event for event in events if '"end"' in event.data]
    client.post(f"{API}/messages/{asked['message_id']}/cancel")


@pytest.mark.every_database
def test_the_same_key_of_both_is_the_users(host: Host) -> None:
    body, key = {"message": "Hi", "stream": False}, {"Idempotency-Key": "same"}
    ada = host.client()
    ada.get("/in/ada")
    first = ada.post(f"{API}/chat", json=body, headers=key).get_json()["message_id"]
    client = host.client()
    client.post(f"{API}/chat", json=body, headers=key)

    assert client.get("/in/ada?claim=1").text == "1"
    assert client.post(f"{API}/chat", json=body, headers=key).get_json()["message_id"] == first
    assert owners(host)["chatstream_submission"] == {"ada"}


def test_what_others_have_stays_theirs(plain: Host) -> None:
    other, client = plain.client(), plain.client()
    theirs = chat(other)["conversation_id"]
    chat(client)
    client.get("/in/ada?claim=1")

    assert other.get(f"{API}/conversations/{theirs}").status_code == 200
    assert client.get(f"{API}/conversations/{theirs}").status_code == 404


@pytest.mark.every_database
def test_a_claim_is_whole_or_nothing(plain: Host) -> None:
    client = plain.client()
    asked = chat(client)
    owner = hang_on(plain, asked)
    when = "BEFORE UPDATE ON chatstream_reaction"
    fail = f"CREATE TRIGGER no {when} BEGIN SELECT RAISE(ABORT, ''); END"
    with plain.state.database.engine.begin() as connection:
        connection.execute(text(fail))

    with pytest.raises(IntegrityError):
        client.get("/in/ada?claim=1")

    assert all(found == {owner} for name, found in owners(plain).items() if "sub" not in name)
    assert cookie_of(client)
    with plain.state.database.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER no"))
    assert client.get("/in/ada?claim=1").text == "1"


def test_nobody_can_claim_without_having_signed_in(plain: Host) -> None:
    with plain.app.test_request_context("/"), pytest.raises(SignInRequired):
        plain.chat.claim()


def test_without_a_cookie_there_is_nothing_to_claim(plain: Host) -> None:
    response = plain.client().get("/in/ada?claim=1")

    assert response.text == "0"
    assert COOKIE not in response.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("wanted", [True, False])
def test_flask_logins_signal_claims_where_the_site_asks(tmp_path: Path, wanted: bool) -> None:
    with open_host(tmp_path, add_flask_login, CHATSTREAM_CLAIM_ON_LOGIN=wanted) as host:
        client = host.client()
        asked = chat(client)
        client.get("/in/ada")
        status = client.get(f"{API}/conversations/{asked['conversation_id']}").status_code

        assert status == (200 if wanted else 404)
        assert (client.get_cookie(COOKIE) is None) is wanted


def test_a_log_in_does_not_fail_for_the_chats_sake(tmp_path: Path) -> None:
    with open_host(tmp_path, add_flask_login, CHATSTREAM_CLAIM_ON_LOGIN=True) as host:
        client = host.client()
        asked = chat(client)
        engine = host.state.database.engine
        rename = "ALTER TABLE chatstream_{} RENAME TO chatstream_{}"
        with engine.begin() as connection:
            connection.execute(text(rename.format("tag", "away")))
        assert client.get("/in/ada").status_code == 200
        with engine.begin() as connection:
            connection.execute(text(rename.format("away", "tag")))
        client.get("/in/ada")

        assert client.get(f"{API}/conversations/{asked['conversation_id']}").status_code == 200
