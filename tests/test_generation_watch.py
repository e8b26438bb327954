"""A viewer: counted and seated while it watches, whatever ends it, and sent away in time."""

from __future__ import annotations

import pytest

from flask_chatstream.generation import Watch

pytest_plugins = ["tests.engine_fixtures"]

THREADS = {"SERVER_SOFTWARE": "gunicorn/23.0.0", "wsgi.multithread": True}
ID = "c" * 32


@pytest.fixture
def runtime(migrated_sqlite_url, make_worker):
    return make_worker(migrated_sqlite_url, max_streams=1).runtime


def test_a_watch_gives_back_what_it_has_taken(runtime):
    topic = runtime.follow.topic(ID)

    with pytest.raises(ZeroDivisionError), Watch(runtime) as first, Watch(runtime) as second:
        assert (first.sit(THREADS), first.sit(THREADS), second.sit(THREADS)) == (True, True, False)
        first.follow(ID).open()
        second.follow(ID)
        assert (topic.viewers, runtime.seats.taken) == (1, 1)
        raise ZeroDivisionError

    first.close()
    assert (topic.viewers, runtime.seats.taken) == (0, 0)


def test_a_watch_ends_with_its_time(runtime):
    forever, ended = Watch(runtime), Watch(runtime, lifetime=0.0)

    assert (forever.is_over, forever.left(), forever.left(3.0)) == (False, None, 3.0)
    assert (ended.is_over, ended.left(), ended.left(3.0)) == (True, 0.0, 0.0)
    assert Watch(runtime, lifetime=3600.0).left(3.0) == 3.0


def test_news_is_what_has_changed_since_the_last_look(runtime):
    watch = Watch(runtime).follow(ID, version=3)
    other = Watch(runtime).follow(ID, version=3)
    assert not watch.has_news

    runtime.follow.changed(ID, version=4)
    assert watch.has_news and other.has_news
    watch.look()
    assert not watch.has_news and other.has_news


def test_only_the_owner_who_was_revoked_is_sent_away(runtime):
    site, ann, bob = Watch(runtime), Watch(runtime, "ann"), Watch(runtime, "bob")
    runtime.revocations.revoke("ann")

    assert [w.is_revoked for w in (site, ann, bob)] == [False, True, False]
    assert [w.is_sent_away(None) for w in (ann, bob)] == [True, False]
    assert not Watch(runtime, "ann").is_revoked
    runtime.draining = True
    assert bob.is_sent_away(None)
