"""The end of an account: all of its chats, in all mounts, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from flask_chatstream import ChatStream, Deleted
from flask_chatstream.models import Base, Conversation, Submission, metadata_for
from flask_chatstream.testing import Pause
from tests.hosts import API, SSE, Host, begin, chat, events_of
from tests.logins import open_site, session_user
from tests.test_owners_claim import hang_on
from tests.waiting import wait_for


@pytest.fixture
def host(database_url: str, tmp_path: Path) -> Iterator[Host]:
    with open_site(tmp_path, database_url) as host:
        support = ChatStream("support", url_prefix="/support", provider=host.provider)
        support.owner_loader(session_user)
        host.app.register_blueprint(support)

        yield host


def rows(host: Host) -> dict[str, int]:
    with host.read() as session:
        tables = metadata_for(session.get_bind().dialect.name).tables.values()

        return {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in tables}


@pytest.mark.every_database
def test_all_is_removed_and_nothing_of_anybody_else(host: Host) -> None:
    bob = host.client()
    bob.get("/in/bob")
    hang_on(host, chat(bob))
    bobs = {name: count for name, count in rows(host).items() if name != "chatstream_chunk"}
    ada = host.client()
    ada.get("/in/ada")
    asked = chat(ada)
    chat(ada, "And?", conversation_id=asked["conversation_id"])
    hang_on(host, asked)
    ada.post("/support/api/v1/chat", json={"message": "Hi", "stream": False}, headers=_key("a"))
    steps: list[Deleted] = []
    with host.app.app_context():
        deleted = host.chat.delete_owner("ada", progress=steps.append)
        again = host.chat.delete_owner("ada")

    assert (deleted, again) == (Deleted(2, 6, 3), Deleted())
    assert [step.conversations for step in steps] == [1, 2]
    assert {name: n for name, n in rows(host).items() if name != "chatstream_chunk"} == bobs
    assert len(bob.get(f"{API}/conversations").get_json()["conversations"]) == 1


def _key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_what_is_written_stops_and_viewers_are_told(host: Host) -> None:
    host.provider.enqueue("Half ", Pause())
    client = host.client()
    client.get("/in/ada")
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half ")
    url = f"/chat/c/{asked['conversation_id']}/events"
    events = events_of(client.get(url, headers=SSE, buffered=False))
    next(events)
    with host.app.app_context():
        assert host.chat.delete_owner("ada") == Deleted(1, 2, 1)

    assert [event.event for event in events][-1] == "gone"
    wait_for(lambda: not host.state.runtime.running())
    with host.read() as session:
        assert session.scalars(select(Conversation)).all() == []


def test_more_than_are_looked_up_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_chatstream.owners.BATCH", 2)
    client = host.client()
    client.get("/in/ada")

    for _ in range(5):
        client.post(f"{API}/conversations", json={})

    with host.app.app_context():
        assert host.chat.delete_owner("ada") == Deleted(5, 0, 0)


@pytest.mark.every_database
def test_an_owner_is_deleted_exactly(host: Host) -> None:
    client = host.client()
    client.get("/in/ada")
    chat(client)

    for name in ("Ada", "ada ", "%", "a_a", ""):
        with host.app.app_context():
            assert host.chat.delete_owner(name) == Deleted()


def test_the_commands(host: Host) -> None:
    runner = host.app.test_cli_runner()
    client = host.client()
    client.get("/in/ada")
    chat(client)
    moved = runner.invoke(args=["chatstream", "owner", "claim", "ada", "bob"])
    revoked = runner.invoke(args=["chatstream", "owner", "revoke", "bob"])
    asked = runner.invoke(args=["chatstream", "owner", "delete", "bob"], input="n\n")
    deleted = runner.invoke(args=["chatstream", "owner", "delete", "bob", "--yes"])

    assert moved.stdout == "1 conversations moved.\n"
    assert revoked.exit_code == 0
    assert asked.exit_code == 1
    assert deleted.stdout == "1 conversations, 2 messages deleted.\n"
    with host.read() as session:
        assert not session.scalars(select(Submission)).all()


def test_every_table_with_an_owner_is_thought_of() -> None:
    """A new table with an owner belongs into the claim and the deletion of `owners`."""

    found = {name for name, table in Base.metadata.tables.items() if "owner" in table.columns}

    assert found == {
        f"chatstream_{name}"
        for name in (
            "conversation",
            "generation",
            "submission",
            "folder",
            "tag",
            "share",
            "reaction",
            "revocation",
            "visitor",
        )
    }
