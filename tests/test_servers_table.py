"""The table of servers and databases in docs/deploying.md says what real servers do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.exchange import Client
from tests.faults.model import question
from tests.faults.rig import Cell, Server, Setup, rigged, wait_until
from tests.services import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

API = "/chat/api/v1"
SERVERS = {
    "own": "gevent's `WSGIServer`",
    "gevent": "gunicorn `-k gevent`",
    "gthread": "gunicorn `-k gthread`",
    "sync": "gunicorn `-k sync`",
    "flask": "`flask run`",
}
DATABASES = {
    "embedded": "embedded",
    "wal": "SQLite, WAL",
    "rollback": "SQLite, no WAL",
    "memory": "in memory",
    "postgres": "PostgreSQL",
    "mariadb": "MariaDB",
}
#: How many of four viewers stream, with four threads.
STREAMS = {"stream": 4, "half stream": 2, "poll": 0}
#: Every server and every database at least once.
CELLS = [
    ("own", "embedded"),
    ("gevent", "postgres"),
    ("gthread", "rollback"),
    ("sync", "wal"),
    ("flask", "embedded"),
    ("own", "memory"),
    ("gthread", "mariadb"),
]


def read_table() -> dict[tuple[str, str], tuple[str, ...]]:
    """What the page says: runner, following, restart, promises, by server and database."""

    lines = (ROOT / "docs" / "deploying.md").read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| | embedded"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[start : start + 7]]
    heads, bodies = rows[0][1:], rows[2:]

    return {
        (body[0], head): tuple(cell.split(", "))
        for body in bodies
        for head, cell in zip(heads, body[1:], strict=True)
    }


def test_every_server_and_every_database_has_its_cell() -> None:
    table = read_table()

    assert set(table) == {(s, d) for s in SERVERS.values() for d in DATABASES.values()}
    assert {server for server, _ in CELLS} == set(SERVERS)
    assert {database for _, database in CELLS} == set(DATABASES)


def test_a_cell_is_its_server_and_its_database() -> None:
    """So those that are tried here speak for the others."""

    table = read_table()

    for server in SERVERS.values():
        assert len({table[server, database][:3] for database in DATABASES.values()}) == 1

    for database in DATABASES.values():
        assert len({table[server, database][3] for server in SERVERS.values()}) == 1


def _marked(server: str, database: str) -> Any:
    marks = [pytest.mark.db] if database in ("postgres", "mariadb") else []

    return pytest.param(server, database, marks=marks, id=f"{server}-{database}")


@pytest.mark.parametrize(("server", "database"), [_marked(*cell) for cell in CELLS])
def test_a_server_does_what_its_cell_says(server: str, database: str, tmp_path: Path) -> None:
    runner, following, restart, promises = read_table()[SERVERS[server], DATABASES[database]]
    setup = Setup(hooks=True, grace=30, threads=4)

    with rigged(Cell(database, server), tmp_path) as rig:
        (started,) = rig.serve(1, setup=setup)
        client = Client(started.port, "ada")

        assert client.request("GET", "/inside").json()["patched"] == (runner == "greenlets")
        conversation, message = _ask(client, 4000)
        assert _count_streams(client, conversation, of=4) == STREAMS[following]
        assert client.request("POST", f"{API}/messages/{message}/cancel").json()["stopped"]
        _, message = _ask(client, 150)
        shown = client.request("GET", f"{API}/messages/{message}/content").json()["content"]
        started.terminate()
        started.wait_exit(20)
        _start_again(started)
        found = client.request("GET", f"{API}/messages/{message}/content")

        if promises == "one process":
            assert found.status == 404
            return

        assert found.json()["status"] == ("completed" if restart == "drain" else "error")
        assert found.json()["content"].startswith(shown)
        assert shown


def _ask(client: Client, words: int) -> tuple[str, str]:
    """An answer of 50 words a second that has begun; the conversation and the message."""

    conversation = client.request("POST", f"{API}/conversations", {}).json()["id"]
    body = {"content": question("abcdefgh", words, 50), "generate": True}
    asked = client.request("POST", f"{API}/conversations/{conversation}/messages", body)
    message = asked.json()["message_id"]
    path = f"{API}/messages/{message}/content"
    wait_until(lambda: client.request("GET", path).json()["content"], 10)

    return conversation, message


def _count_streams(client: Client, conversation: str, of: int) -> int:
    """How many viewers of the page that come at once are given a stream."""

    path, head = f"/chat/c/{conversation}/events", {"Accept": "text/event-stream"}
    opened = [client.open("GET", path, headers=head) for _ in range(of)]
    kinds = [exchange.headers["content-type"] for exchange, _ in opened]

    for _, pieces in opened:
        next(pieces, b"")
        pieces.close()

    return sum(kind.startswith("text/event-stream") for kind in kinds)


def _start_again(server: Server) -> None:
    server.start()
    server.wait_ready()
