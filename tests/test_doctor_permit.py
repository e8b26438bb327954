"""A worker tells about itself to who has the site's key, and to nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_chatstream.doctor import HEADER, Facts
from flask_chatstream.doctor.facts import decode_facts
from flask_chatstream.doctor.permit import SECONDS, make_permit
from tests.hosts import Host, events_of, open_host

KEY, OLD_KEY = "for tests only", "the key of last year"
CANARY = "canary-4c1e"
URL = "/chat/api/v1/doctor"
#: What a server says of itself, by which it is told from a test client.
THREADED = {"SERVER_SOFTWARE": "gunicorn/23", "wsgi.multithread": True}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    folder = tmp_path / CANARY
    folder.mkdir()
    secrets = {"CHATSTREAM_OPENAI_API_KEY": CANARY, "SECRET_KEY_FALLBACKS": [OLD_KEY]}

    with open_host(folder, **secrets) as host:
        yield host


def ask(host: Host, permit: str | None, query: str = "", **environ: Any) -> TestResponse:
    headers = {} if permit is None else {HEADER: permit}

    return host.client().get(URL + query, headers=headers, environ_overrides=environ)


def facts_of(response: TestResponse) -> Facts:
    facts = next(decode_facts(e.data) for e in events_of(response) if e.event == "facts")
    assert facts is not None

    return facts


@pytest.mark.parametrize(
    "make",
    [
        lambda: None,
        lambda: "",
        lambda: "nonsense",
        lambda: make_permit(["another key"]),
        lambda: make_permit([KEY])[:-1],
        lambda: make_permit([KEY], time.time() - SECONDS - 2),
        lambda: make_permit([KEY], time.time() + SECONDS + 60),
    ],
    ids=["none", "empty", "nonsense", "other key", "cut", "expired", "from the future"],
)
def test_without_a_permit_there_is_nothing(host: Host, make: Callable[[], str | None]) -> None:
    found = ask(host, make())
    nothing = host.client().get("/chat/api/v1/nothing-here")

    assert (found.status_code, nothing.status_code) == (404, 404)
    assert words(found) == words(nothing)
    assert set(found.headers.keys()) == set(nothing.headers.keys())


def words(response: TestResponse) -> dict[str, Any]:
    return {**response.get_json()["error"], "request_id": None}


def test_the_anonymous_cookie_is_no_permit(host: Host) -> None:
    """Both are signed with the same key."""

    client = host.client()
    client.get("/chat/")
    cookie = client.get_cookie("chatstream_owner")
    assert cookie is not None

    assert ask(host, cookie.decoded_value).status_code == 404


@pytest.mark.parametrize("keys", [[KEY], [OLD_KEY], [OLD_KEY, KEY], [KEY.encode()]])
def test_a_permit_of_the_sites_keys(host: Host, keys: list[str | bytes]) -> None:
    response = ask(host, make_permit(keys))

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    assert "Set-Cookie" not in response.headers
    assert facts_of(response).url == "http://localhost/chat/"


def test_a_site_without_a_key_answers_nobody(tmp_path: Path) -> None:
    def forget(app: Flask) -> None:
        app.config["SECRET_KEY"] = None

    with open_host(tmp_path, forget) as host:
        assert ask(host, make_permit([""])).status_code == 404
        assert not Path(host.app.instance_path, "chatstream.key").exists()


def test_nothing_secret_is_told(host: Host) -> None:
    text = ask(host, make_permit([KEY])).get_data(as_text=True)
    data = json.loads(text.partition("data: ")[2].partition("\n")[0])

    assert set(data) == set(Facts.__struct_fields__)
    assert CANARY not in text
    assert KEY not in text
    assert host.state.runtime.worker not in text


def test_settings_are_told_apart_only(host: Host, tmp_path: Path) -> None:
    first = facts_of(ask(host, make_permit([KEY]))).fingerprint
    second = facts_of(ask(host, make_permit([KEY]))).fingerprint
    other_folder = tmp_path / "other"
    other_folder.mkdir()

    with open_host(other_folder, CHATSTREAM_OPENAI_API_KEY="other") as other:
        third = facts_of(ask(other, make_permit([KEY]))).fingerprint

    assert first == second != third


def test_a_stream_takes_a_seat_and_gives_it_back(host: Host) -> None:
    seats = host.state.runtime.seats
    response = ask(host, make_permit([KEY]), "?pieces=2", **THREADED)
    assert seats.taken == 1
    events = [event.event for event in events_of(response)]
    response.close()

    assert events == ["facts", "piece", "piece"]
    assert seats.taken == 0


def test_without_a_free_seat_nothing_waits(host: Host) -> None:
    seats = host.state.runtime.seats
    assert seats.take(THREADED)
    response = ask(host, make_permit([KEY]), "?pieces=2", **THREADED)

    assert [event.event for event in events_of(response)] == ["facts"]
    assert seats.taken == 1
    seats.leave()


@pytest.mark.parametrize(
    ("pieces", "count"), [("0", 0), ("-3", 0), ("x", 0), ("1", 1), ("99999999999999999999", 10)]
)
def test_the_pieces_are_bounded(
    host: Host, pieces: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_chatstream.views.api.doctor.PAUSE", 0)
    response = ask(host, make_permit([KEY]), f"?pieces={pieces}")

    assert [event.event for event in events_of(response)].count("piece") == count


def test_it_asks_no_database(host: Host) -> None:
    """A worker whose tables are not there yet, or whose database is away, answers all the same."""

    with host.state.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE chatstream_alembic_version")

    assert ask(host, make_permit([KEY])).status_code == 200
