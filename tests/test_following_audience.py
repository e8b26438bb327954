"""Answers that nobody watches are stopped; those that somebody watches, anywhere, are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from flask_chatstream.generation import Watch
from flask_chatstream.lifecycle.sweep import AbandonRule, sweep
from flask_chatstream.models import Generation
from flask_chatstream.providers.scripted import Pause
from flask_chatstream.storage import now
from tests.hosts import API, HTML, HTMX, SSE, begin, open_host
from tests.waiting import wait_for
from tests.workers import check_counters

pytest_plugins = ["tests.engine_fixtures"]
SECONDS = 3600.0
RULE = AbandonRule(SECONDS)


@pytest.fixture
def make(migrated_url, make_worker):
    """Makes processes on one database, in which leases and watches are trusted at once."""

    def make():
        worker = make_worker(migrated_url, abandon_seconds=SECONDS)
        worker.runtime.upkeep._trusted = 0.0

        return worker

    return make


def leave(worker, *asked, seconds=SECONDS + 1):
    """Make it so long that somebody was seen to watch."""

    def age(connection):
        ids = [a.generation_id for a in asked]
        moment = now(connection) - timedelta(seconds=seconds)
        connection.execute(
            update(Generation).where(Generation.id.in_(ids)).values(watched_at=moment)
        )

    worker.database.write(age)


def ask(worker, **wanted):
    """A question for a queue, which nobody takes up."""

    return worker.ask(worker=None, lease=None, **wanted)


def statuses(worker, *asked):
    return [worker.generation(a).status for a in asked]


@pytest.mark.every_database
def test_an_answer_that_nobody_watches_is_stopped_with_its_text(make):
    worker, elsewhere = make(), make()
    gates = [Pause(), Pause()]
    worker.provider.enqueue("so far", gates[0])
    abandoned = worker.start(is_watched=True)
    gates[0].wait_reached()
    worker.provider.enqueue("for the site", gates[1])
    site = worker.start()
    gates[1].wait_reached()
    fresh = ask(worker, is_watched=True)
    wait_for(lambda: worker.text(abandoned) == "so far")
    running = worker.wait_running(abandoned)
    leave(worker, abandoned)
    elsewhere.runtime.upkeep.tidy(elsewhere.runtime)

    assert statuses(worker, abandoned, site, fresh) == ["cancelled", "running", "queued"]
    assert worker.generation(abandoned).error_code == "abandoned"
    assert (worker.message(abandoned).status, worker.message(abandoned).content) == (
        "cancelled",
        "so far",
    )
    check_counters(worker, abandoned)
    worker.runtime.upkeep.watch(worker.runtime)
    assert running.cancellation.cancelled
    gates[0].release()
    gates[1].release()


@pytest.mark.every_database
def test_whoever_watches_in_any_process_keeps_an_answer(make):
    worker, elsewhere = make(), make()
    followed, read, left = asked = [ask(worker, is_watched=True) for _ in range(3)]
    site = ask(worker)
    watch = Watch(elsewhere.runtime).follow(followed.conversation_id)
    watch.open()
    elsewhere.runtime.audience.note(read.conversation_id)
    elsewhere.runtime.audience.note(site.conversation_id)
    leave(worker, *asked)
    elsewhere.runtime.upkeep.hold(elsewhere.runtime)
    worker.runtime.upkeep.tidy(worker.runtime)

    assert statuses(worker, followed, read, left) == ["queued", "queued", "cancelled"]
    # The site's own code has asked: nobody keeps it, and nobody has to.
    assert worker.generation(site).watched_at is None

    watch.close()
    assert elsewhere.runtime.audience.due() == set()
    elsewhere.runtime.audience._stored.clear()
    assert elsewhere.runtime.audience.due() == {followed.conversation_id}


def test_what_is_stored_already_is_not_stored_again(make):
    worker = make()
    asked = ask(worker, is_watched=True)
    before = worker.generation(asked).watched_at
    worker.runtime.audience.note(asked.conversation_id)
    worker.runtime.upkeep.hold(worker.runtime)

    assert worker.generation(asked).watched_at == before
    assert worker.runtime.audience.due() == set()


def test_a_locked_row_is_passed_over_and_asked_for_again(server_url, make_worker):
    worker = make_worker(server_url, abandon_seconds=SECONDS)
    held, free = ask(worker, is_watched=True), ask(worker, is_watched=True)
    leave(worker, held, free)

    for asked in (held, free):
        worker.runtime.audience.note(asked.conversation_id)

    with worker.engine.begin() as site:
        mine = Generation.id == held.generation_id
        site.execute(select(Generation.id).where(mine).with_for_update(read=True))
        worker.runtime.upkeep.hold(worker.runtime)
        assert worker.runtime.audience.due() == {held.conversation_id}

    worker.runtime.upkeep.hold(worker.runtime)
    assert worker.runtime.audience.due() == set()
    assert sweep(worker.database, RULE) == []


def test_who_comes_back_at_the_last_moment_keeps_the_answer(make):
    """What was a candidate is judged again under the lock."""

    worker = make()
    asked = ask(worker, is_watched=True)
    leave(worker, asked)
    looks = []

    class Late(AbandonRule):
        def __call__(self, row, moment):
            is_meant = super().__call__(row, moment)
            looks.append(is_meant)

            if len(looks) == 1:
                leave(worker, asked, seconds=0)

            return is_meant

    assert sweep(worker.database, Late(SECONDS)) == []
    assert looks == [True, False]


def test_without_the_setting_nothing_is_noted(migrated_sqlite_url, make_worker):
    worker = make_worker(migrated_sqlite_url)
    worker.runtime.upkeep._trusted = 0.0
    asked = ask(worker, is_watched=True)
    leave(worker, asked, seconds=10_000_000)
    worker.runtime.audience.note(asked.conversation_id)
    worker.runtime.upkeep.tidy(worker.runtime)

    assert worker.runtime.audience.due() == set()
    assert statuses(worker, asked) == ["queued"]


def test_all_who_look_at_their_answer_watch_it(tmp_path: Path) -> None:
    gate = Pause()

    with open_host(tmp_path, CHATSTREAM_ABANDON_SECONDS=60) as host:
        ann, stranger = host.client(), host.client()
        host.provider.enqueue("so far", gate)
        asked = begin(ann)
        gate.wait_reached()
        upkeep, audience = host.state.runtime.upkeep, host.state.runtime.audience
        upkeep.close()
        wait_for(lambda: not upkeep.is_running)
        id, message = asked["conversation_id"], asked["message_id"]
        assert host.generation(asked["generation_id"]).watched_at is not None
        ways = {
            f"/chat/c/{id}": HTML,
            f"/chat/c/{id}/events": {},
            f"/chat/c/{id}/events?poll": HTMX,
            f"{API}/conversations/{id}/status": {},
            f"{API}/conversations/{id}/poll": {},
            f"{API}/messages/{message}/content": {},
            f"{API}/conversations/{id}/stream": SSE,
        }

        for url, headers in ways.items():
            audience.stored([id])
            audience._stored.clear()
            assert stranger.get(url, headers=headers).status_code == 404
            assert audience.due() == set(), url

            with ann.get(url, headers=headers) as response:
                assert response.status_code == 200, url
                assert audience.due() == {id}, url

        gate.release()
        host.wait_end(message)


def test_the_page_and_the_api_say_why_it_was_stopped(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_ABANDON_SECONDS=60) as host:
        client, gate = host.client(), Pause()
        host.provider.enqueue("so far", gate)
        asked = begin(client)
        gate.wait_reached()
        generation = update(Generation).values(watched_at=datetime(2020, 1, 1, tzinfo=UTC))
        host.state.database.write(lambda connection: connection.execute(generation))
        sweep(host.state.database, AbandonRule(60.0))
        gate.release()
        url = f"{API}/conversations/{asked['conversation_id']}"
        page = client.get(f"/chat/c/{asked['conversation_id']}", headers=HTML)

        assert "Nobody was watching, so the answer was stopped." in page.get_data(as_text=True)
        assert client.get(f"{url}/poll").get_json()["messages"][-1]["error"] == {
            "code": "abandoned",
            "message": "Nobody was watching, so the answer was stopped.",
        }
        assert '"status":"cancelled","error_code":"abandoned"' in client.get(
            f"{url}/stream"
        ).get_data(as_text=True)
