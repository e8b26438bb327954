"""``flask chatstream sweep``: what it counts, what it does, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from flask_chatstream.errors import ProviderError
from flask_chatstream.models import Generation, Message, Submission
from flask_chatstream.providers.scripted import Pause
from tests.hosts import API, Host, begin, open_host
from tests.waiting import wait_for

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path, CHATSTREAM_ABANDON_SECONDS=60, CHATSTREAM_LEASE_SECONDS=0.3) as host:
        yield host


def run(host: Host, *options: str) -> dict[str, int]:
    """What the command prints, by its first word or the first telling one."""

    result = host.app.test_cli_runner().invoke(args=["chatstream", "sweep", *options])
    assert result.exit_code == 0, result.output

    return {what: int(n) for n, what in re.findall(r"^ *(\d+) (.+)$", result.output, re.M)}


def change(host: Host, row: type, found: object, **values: object) -> None:
    statement = update(row).where(found).values(**values)  # type: ignore[arg-type]
    host.state.database.write(lambda connection: connection.execute(statement))


def test_it_counts_then_does_and_then_finds_nothing(host: Host) -> None:
    client, gates = host.client(), [Pause(), Pause()]
    host.provider.enqueue(ProviderError("overloaded"))
    failed = begin(client)
    host.wait_end(failed["message_id"])
    host.provider.enqueue("An answer.")
    again = client.post(
        f"{API}/messages/{failed['message_id']}/regenerate", headers={"Idempotency-Key": "k"}
    ).get_json()
    host.wait_end(again["message_id"])
    running = []

    for gate in gates:
        host.provider.enqueue("so far", gate)
        running.append(begin(client))
        gate.wait_reached()

    # As if the workers had gone: their own background work would do it all.
    upkeep = host.state.runtime.upkeep
    upkeep.close()
    wait_for(lambda: not upkeep.is_running)
    left, dead = (asked["generation_id"] for asked in running)
    later = datetime(2200, 1, 1, tzinfo=UTC)
    change(host, Message, Message.status != "generating", updated_at=LONG_AGO)
    change(host, Submission, Submission.key == "k", created_at=LONG_AGO)
    change(host, Generation, Generation.id == left, watched_at=LONG_AGO, lease_until=later)
    change(host, Generation, Generation.id == dead, worker="b:1:1:1", lease_until=LONG_AGO)
    counted = run(host, "--dry-run")
    rows = counted.pop("journal rows of ended answers removed")

    assert counted == {
        "answers interrupted": 1,
        "answers that nobody watched stopped": 1,
        "answers without text removed": 1,
        "expired keys and log-outs removed": 1,
    }
    assert rows >= 0 and host.message(failed["message_id"]).status == "error"
    swept = run(host)
    assert counted.items() <= swept.items()
    assert swept["journal rows of ended answers removed"] >= rows
    assert host.generation(left).error_code == "abandoned"
    assert host.generation(dead).status == "interrupted"
    assert set(run(host).values()) == {0}

    for gate in gates:
        gate.release()


def test_what_is_being_written_is_left_alone(host: Host) -> None:
    client, gate = host.client(), Pause()
    host.provider.enqueue("so far", gate, " and on")
    asked = begin(client)
    gate.wait_reached()
    swept = run(host)
    gate.release()

    assert set(swept.values()) == {0}
    assert host.wait_end(asked["message_id"]).content == "so far and on"
