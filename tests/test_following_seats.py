"""How many viewers may stream, by what a server says of itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flask_chatstream.concurrency import pool_size
from flask_chatstream.following import Seats
from flask_chatstream.following.seats import most_streams
from tests.workers import run_python

SYNC = {"SERVER_SOFTWARE": "gunicorn/23.0.0", "wsgi.multithread": False}
THREADS = {**SYNC, "wsgi.multithread": True}
DEVELOPMENT = {"SERVER_SOFTWARE": "Werkzeug/3.1.0", "wsgi.multithread": True}
UWSGI = {"uwsgi.version": b"2.0", "wsgi.multithread": False}
TEST_CLIENT = {"wsgi.multithread": False}


@pytest.mark.parametrize(
    ("environ", "most"),
    [(SYNC, 0), (THREADS, 1), (DEVELOPMENT, None), (UWSGI, 0), (TEST_CLIENT, None)],
)
def test_a_server_bears_what_it_says(environ: dict[str, Any], most: int | None) -> None:
    assert most_streams(environ) == most


@pytest.mark.parametrize(("threads", "most"), [(1, 0), (2, 1), (9, 4), (32, 16)])
def test_streams_get_half_of_a_pool(threads: int, most: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        assert pool.submit(pool_size).result() == threads
        assert pool.submit(most_streams, THREADS).result() == most

    assert pool_size() is None


def test_greenlets_stream_whatever_the_server_says() -> None:
    program = (
        "from flask_chatstream.following.seats import most_streams\n"
        "print(most_streams({'SERVER_SOFTWARE': 'gevent/26', 'wsgi.multithread': False}))\n"
    )

    assert run_python(program, patched=True).strip() == "None"
    assert run_python(program, patched=False).strip() == "0"


@pytest.mark.parametrize(("limit", "environ", "most"), [(3, THREADS, 3), (0, THREADS, 0)])
def test_the_site_says_how_many(limit: int, environ: dict[str, Any], most: int) -> None:
    seats = Seats(limit)

    assert [seats.take(environ) for _ in range(most + 2)] == [True] * most + [False] * 2


def test_a_limit_gives_no_seats_where_there_are_none() -> None:
    assert not Seats(5).take(SYNC)


def test_a_seat_is_free_again_when_its_stream_has_ended() -> None:
    seats = Seats(1)

    assert seats.take(THREADS)
    assert not seats.take(THREADS)
    seats.leave()
    assert seats.take(THREADS)


@pytest.mark.parametrize(
    ("limit", "environ", "there"),
    [(None, SYNC, False), (5, SYNC, False), (0, THREADS, False), (1, THREADS, True)],
)
def test_who_finds_no_seat_knows_whether_to_come_again(
    limit: int | None, environ: dict[str, Any], there: bool
) -> None:
    seats = Seats(limit)
    seats.take(environ)

    assert seats.are_there(environ) is there
