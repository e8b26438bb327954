"""docs/states.md is what the engine does: its states, ends and tables are those of the code."""

from __future__ import annotations

import re

import pytest

from flask_chatstream.errors import PROVIDER_CODES
from flask_chatstream.lifecycle.ends import Outcome, end
from flask_chatstream.models import ACTIVE, Base, Generation, Message
from tests.services import ROOT

pytest_plugins = ["tests.engine_fixtures"]
PAGE = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")


def public_states():
    """The table of section 2: generation's state -> message's state."""

    section = PAGE.split("## 2. States")[1].split("## 3.")[0]
    rows = re.findall(r"^\| ([a-z, ]+) \| ([a-z]+) \| ?([^|]*)\|$", section, re.MULTILINE)
    rows = [row for row in rows if row[0] != "generation"]

    return {state: (public, code) for states, public, code in rows for state in states.split(", ")}


def allowed(table):
    """The states that the database takes."""

    rules = [c for c in table.constraints if str(c.name).endswith("_status")]

    return set(re.findall(r"'(\w+)'", str(rules[0].sqltext)))


def test_the_states_are_those_of_the_database():
    states = public_states()

    assert set(states) == allowed(Generation.__table__)
    assert {public for public, _ in states.values()} == allowed(Message.__table__)
    assert tuple(s for s, (public, _) in states.items() if public == "generating") == ACTIVE


def test_the_tables_of_the_page_are_ours():
    named = set(re.findall(r"`(chatstream_\w+)`", PAGE))

    assert named == {
        f"chatstream_{n}"
        for n in (
            "chunk",
            "conversation",
            "generation",
            "message",
            "revocation",
            "submission",
            "visitor",
        )
    }
    assert named <= set(Base.metadata.tables)


@pytest.mark.parametrize("state", sorted(set(public_states()) - set(ACTIVE)))
def test_an_end_is_told_to_people_as_the_page_says(worker, state):
    public, code = public_states()[state]
    error_code = {"error": "timeout", "interrupted": "interrupted"}.get(state)
    asked = worker.ask()
    ended = worker.database.write(end, asked.generation_id, Outcome(state, error_code=error_code))

    assert ended.won and ended.status == public
    assert worker.generation(asked).status == state
    assert (worker.message(asked).status, worker.message(asked).error_code) == (public, error_code)
    assert error_code is None or error_code in PROVIDER_CODES
    assert ("interrupted" in code) == (state == "interrupted")


@pytest.mark.parametrize("first", sorted(set(public_states()) - set(ACTIVE)))
@pytest.mark.parametrize("second", ["completed", "error", "cancelled", "interrupted"])
def test_no_transaction_leaves_an_end(worker, first, second):
    asked = worker.ask()
    worker.database.write(end, asked.generation_id, Outcome(first))
    version = worker.conversation(asked).version
    again = worker.database.write(end, asked.generation_id, Outcome(second, error_code="timeout"))

    assert not again.won
    assert worker.generation(asked).status == first
    assert worker.message(asked).error_code is None
    assert worker.conversation(asked).version == version


def test_every_setting_and_constant_of_the_page_holds():
    from flask_chatstream.config import Settings
    from flask_chatstream.generation import journal, stream, upkeep

    assert f"tried for {journal.GIVE_UP_SECONDS:.0f} s" in PAGE
    assert f"{journal.HELD_PAUSE * 1000:.0f} ms later" in PAGE
    assert f"above {journal.MAX_ROW // 1024} kB" in PAGE
    assert f"exceeds {stream.MAX_PENDING // 1024} kB" in PAGE
    assert upkeep.WATCH_SECONDS == 0.5 and "twice a second" in PAGE
    assert f"every {Settings().sweep_seconds:.0f} s" in PAGE
