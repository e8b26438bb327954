"""Hints between processes: who follows elsewhere is shown text at once, and a stop is at once."""

from __future__ import annotations

import pytest

from flask_chatstream.conversations import rename
from flask_chatstream.following import End, poller
from flask_chatstream.generation import Watch, upkeep
from flask_chatstream.providers.scripted import Pause
from tests.services import need
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]

#: Nobody looks by himself while a test runs.
NEVER = 3600.0


@pytest.fixture(
    params=["redis", pytest.param("postgres", marks=pytest.mark.db)],
)
def pair(request, make_worker, monkeypatch):
    """Two processes' engines on one database, which have heard each other."""

    settings = {"redis_url": need("redis")} if request.param == "redis" else {}
    kind = "sqlite" if request.param == "redis" else "postgres"
    url = request.getfixturevalue(f"migrated_{kind}_url")
    pair = [make_worker(url, **settings) for _ in range(2)]

    for worker in pair:
        worker.runtime.upkeep.start()
        wait_for(lambda worker=worker: worker.runtime.wake.is_trusted)

    for module, name in ((poller, "SILENT"), (poller, "SLOWEST"), (upkeep, "WATCH_SECONDS")):
        monkeypatch.setattr(module, name, NEVER)

    monkeypatch.setattr(poller, "FASTEST", NEVER)

    return pair


def join(worker, asked):
    ids = (asked.generation_id, asked.message_id, asked.conversation_id)

    return worker.runtime.follow.join(*ids, asked.base_offset)


def test_text_and_the_end_are_shown_elsewhere_without_a_poll(pair):
    writer, viewer = pair
    gates = [Pause(), Pause()]
    writer.provider.enqueue("one ", gates[0], "two ", gates[1], "three")
    asked = writer.start()
    gates[0].wait_reached()
    live = join(viewer, asked)
    viewer.runtime.poller.ensure()
    wait_for(lambda: live.read(0) == "one ")

    gates[0].release()
    wait_for(lambda: live.read(0) == "one two ")
    gates[1].release()
    wait_for(lambda: live.end == End("completed"))
    assert live.read(0) == "one two three"


def test_a_stop_elsewhere_closes_the_provider_without_a_look(pair):
    writer, other = pair
    gate = Pause()
    writer.provider.enqueue("so far", gate)
    asked = writer.start()
    gate.wait_reached()
    running = writer.wait_running(asked)
    other.cancel(asked)

    assert running.cancellation.wait(5)
    gate.release()


def test_what_is_not_text_is_told_elsewhere(pair):
    changing, viewer = pair
    asked = changing.answer()
    watch = Watch(viewer.runtime).follow(asked.conversation_id)
    watch.open()
    wait_for(lambda: watch.has_news)
    watch.look()
    changing.database.write(rename, "ann", "chatstream", asked.conversation_id, "Other")
    changing.runtime.follow.changed(asked.conversation_id)

    wait_for(lambda: watch.has_news)
    watch.close()


def test_a_revocation_is_learnt_elsewhere(pair):
    here, there = pair
    asked = here.answer()
    watch = Watch(there.runtime, "ann").follow(asked.conversation_id)
    watch.open()
    wait_for(lambda: watch.has_news)
    here.runtime.revocations.revoke("ann")

    wait_for(lambda: watch.is_revoked)
    watch.close()


def test_hints_that_concern_nobody_here_cost_no_read(pair, monkeypatch):
    writer, idle = pair
    asked = writer.answer()
    reads = []
    monkeypatch.setattr(idle.runtime.poller, "tick", lambda *_: reads.append(1))
    elsewhere = Watch(idle.runtime).follow("f" * 32)
    elsewhere.open()
    wait_for(lambda: reads)
    before = len(reads)
    writer.answer()
    writer.runtime.follow.changed(asked.conversation_id)
    writer.runtime.follow.changed(elsewhere.topic.conversation_id)

    wait_for(lambda: len(reads) > before)
    assert len(reads) == before + 1
    elsewhere.close()
