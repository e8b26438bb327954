"""Hints between processes arrive and are proven; what does not deliver is not trusted."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url

from flask_chatstream.errors import ConfigurationError
from flask_chatstream.wake import Bus, Hint, Wake, find_bus
from flask_chatstream.wake import proof as proof_module
from flask_chatstream.wake import wake as wake_module
from flask_chatstream.wake.hints import decode_message, encode_hint, encode_proof
from flask_chatstream.wake.proof import Proof
from tests.engines import end_connections
from tests.pgbouncer import run_pgbouncer
from tests.services import need
from tests.waiting import wait_for

A, B = "a" * 32, "b" * 32


@pytest.fixture(params=["redis", pytest.param("postgres", marks=pytest.mark.db)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    if request.param == "redis":
        engine = create_engine("sqlite://")
        found = find_bus("auto", need("redis"), engine)
    else:
        engine = create_engine(request.getfixturevalue("postgres_url"))
        found = find_bus("auto", None, engine)

    assert found is not None and found.name == request.param

    yield found

    engine.dispose()


class Ear:
    """Who hears, and is held weakly."""

    def __init__(self) -> None:
        self.heard: list[Hint] = []

    def hear(self, hint: Hint) -> None:
        self.heard.append(hint)


@pytest.fixture
def make_wake() -> Iterator[Callable[[Bus | None], tuple[Wake, list[Hint]]]]:
    made = []

    def make(bus: Bus | None) -> tuple[Wake, list[Hint]]:
        ear = Ear()
        wake = Wake(bus, ear.hear)
        made.append((wake, ear))
        wake.start()

        return wake, ear.heard

    yield make

    for wake, _ in made:
        wake.close()


@pytest.fixture
def pair(bus, make_wake):
    """Two processes' sides of one bus, both of which have heard themselves."""

    pair = make_wake(bus), make_wake(bus)

    for wake, _ in pair:
        wait_for(lambda wake=wake: wake.is_trusted)

    return pair


def test_what_one_tells_the_others_hear(pair: Any) -> None:
    (teller, own), (_, heard) = pair
    teller.tell_text([A])
    wait_for(lambda: heard)
    teller.tell_changed(B)
    wait_for(lambda: len(heard) == 2)
    teller.tell_revoked()
    wait_for(lambda: len(heard) == 3)

    assert heard == [
        Hint(text=frozenset({A})),
        Hint(changed=frozenset({B})),
        Hint(revoked=True),
    ]
    assert own == []


def test_what_is_told_at_once_goes_out_together(pair: Any) -> None:
    (teller, _), (_, heard) = pair
    ids = {f"{n:032x}" for n in range(450)}

    for id in ids:
        teller.tell_text([id])

    wait_for(lambda: {id for hint in heard for id in hint.text} == ids)
    assert len(heard) < 45


@pytest.mark.db
def test_connections_that_are_ended_are_made_anew(
    postgres_url: str, make_wake: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_engine(postgres_url)
    wake, _ = make_wake(find_bus("postgres", None, engine))
    _, heard = make_wake(find_bus("postgres", None, engine))
    wait_for(lambda: wake.is_trusted)

    with caplog.at_level(logging.WARNING):
        end_connections(postgres_url)
        wait_for(lambda: not wake.is_trusted)
        wait_for(lambda: wake.is_trusted)

    assert "Wake-ups by postgres do not arrive" in caplog.text
    assert make_url(postgres_url).database not in caplog.text

    def told() -> bool:
        wake.tell_text([A])

        return bool(heard)

    wait_for(told)
    wake.close()
    engine.dispose()


@pytest.mark.db
def test_a_pooler_that_delivers_nothing_is_not_trusted(
    postgres_url: str,
    tmp_path: Path,
    make_wake: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """PgBouncer in its transaction mode accepts LISTEN, and no notification ever comes."""

    monkeypatch.setattr(proof_module, "EVERY", 0.2)
    monkeypatch.setattr(proof_module, "PATIENCE", 0.2)

    with run_pgbouncer(postgres_url, tmp_path) as url:
        engine = create_engine(url, connect_args={"prepare_threshold": None})
        wake, _ = make_wake(find_bus("auto", None, engine))
        wait_for(lambda: "sent and not delivered" in caplog.text)

        assert not wake.is_trusted
        wake.close()
        engine.dispose()


def test_a_close_does_not_wait_for_the_listeners_next_look(
    bus: Bus, make_wake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_module, "LISTEN_SECONDS", 60.0)
    wake, _ = make_wake(bus)
    wait_for(lambda: wake.is_trusted)
    started = time.monotonic()
    wake.close()

    assert time.monotonic() - started < wake_module.CLOSE_SECONDS


def test_all_ends_when_nobody_hears_any_more(bus: Bus) -> None:
    ear = Ear()
    wake = Wake(bus, ear.hear)
    wake.start()
    wait_for(lambda: wake.is_trusted)
    del ear
    gc.collect()

    wait_for(wake._closed.is_set)
    wake.close()


def test_without_a_server_it_waits_for_one(
    make_wake: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_engine("sqlite://")
    wake, _ = make_wake(find_bus("redis", "redis://:secret@127.0.0.1:1/0", engine))
    wait_for(lambda: "Wake-ups by redis do not arrive (ConnectionError)" in caplog.text)
    wake.tell_text([A])

    assert not wake.is_trusted
    assert "secret" not in caplog.text


def test_without_a_bus_nothing_is_started(make_wake: Any) -> None:
    wake, heard = make_wake(None)
    wake.tell_text([A])
    wake.tell_changed(B)

    assert not wake.is_trusted and heard == []


@pytest.mark.parametrize(
    ("wake", "redis_url", "database", "expected"),
    [
        ("auto", None, "sqlite://", None),
        ("auto", None, "mysql+pymysql://h/d", None),
        ("auto", None, "postgresql+psycopg://h/d", "postgres"),
        ("auto", None, "postgresql+psycopg2://h/d", None),
        ("auto", "redis://h", "postgresql+psycopg://h/d", "redis"),
        ("database", "redis://h", "postgresql+psycopg://h/d", None),
        ("postgres", "redis://h", "postgresql+psycopg://h/d", "postgres"),
        ("redis", "redis://h", "sqlite://", "redis"),
    ],
)
def test_the_bus_is_the_named_one_or_the_best(
    wake: str, redis_url: str | None, database: str, expected: str | None
) -> None:
    found = find_bus(wake, redis_url, engine_of(database))

    assert (found and found.name) == expected


def engine_of(url: str) -> Any:
    """An engine that is not connected; of a driver that is not installed, what is asked of it."""

    class Dialect:
        name = make_url(url).get_backend_name()
        driver = make_url(url).get_driver_name()

    class Engine:
        dialect = Dialect

    return Engine


@pytest.mark.parametrize(
    ("wake", "database", "words"),
    [
        ("redis", "sqlite://", "CHATSTREAM_REDIS_URL"),
        ("postgres", "sqlite://", r"postgresql\+psycopg"),
        ("postgres", "postgresql+psycopg2://h/d", r"postgresql\+psycopg"),
    ],
)
def test_a_bus_that_cannot_be_had_is_refused(wake: str, database: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        find_bus(wake, None, engine_of(database))


ids = st.frozensets(st.uuids().map(lambda id: id.hex), max_size=450)


@given(ids, ids, st.booleans())
def test_hints_go_over_the_bus_whole(
    text: frozenset[str], changed: frozenset[str], revoked: bool
) -> None:
    sent = list(encode_hint("me", Hint(text, changed, revoked)))
    messages = [decode_message(one) for one in sent]
    hints = [message.hint for message in messages if message is not None]

    assert all(len(one.encode()) < 8000 for one in sent)
    assert len(hints) == len(sent)
    assert frozenset().union(*(h.changed for h in hints)) == changed
    assert frozenset().union(*(h.text for h in hints)) == text - changed
    assert [h.revoked for h in hints].count(True) == revoked
    assert bool(sent) == bool(text or changed or revoked)


def test_a_proof_is_a_proof() -> None:
    message = decode_message(encode_proof("me", 7))

    assert message is not None
    assert (message.sender, message.proof, message.hint) == ("me", 7, Hint())


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"sender": 3}', "\x00", "hello"])
def test_what_is_no_message_is_none(text: str) -> None:
    assert decode_message(text) is None


def test_a_round_trip_is_believed_until_the_next_is_overdue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    proof = Proof()
    assert proof.due_in() == 0 and not proof.holds()

    first = proof.begin()
    assert not proof.holds() and not proof.is_overdue()
    proof.hear(first)
    assert proof.holds() and proof.due_in() == proof_module.EVERY

    clock[0] += proof_module.EVERY
    assert proof.holds() and proof.due_in() == 0
    second = proof.begin()
    assert proof.holds()
    clock[0] += proof_module.PATIENCE + 0.1
    assert not proof.holds() and proof.is_overdue()

    proof.hear(first)
    assert not proof.holds()
    third = proof.begin()
    proof.hear(second)
    assert not proof.holds()
    proof.hear(third)
    assert proof.holds()

    proof.fail()
    assert not proof.holds()
