"""A power cut: what anybody saw was synced before it was sent (F10, D2)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import make_url

from .acts import check_all
from .checker import find_faults
from .disk import Disk
from .recorder import Recorder
from .rig import Rig, Setup, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def cut_in_mid_answer(rig: Rig, folder: Path, durability: str) -> Recorder:
    """Three answers are watched, the power goes, and the server comes up on what was synced."""

    disk = Disk(folder)
    config = {"CHATSTREAM_DURABILITY": durability}
    (server,) = rig.serve(1, setup=Setup(config=config, disk=str(folder)))
    recorder = Recorder(rig)
    chats = [recorder.ask(server, recorder.person(f"p{n}"), 4000, 100) for n in range(3)]

    for chat in chats:
        recorder.follow_all(server, chat)

    recorder.wait_shown(recorder.viewers, recorder.random.randrange(100, 400))
    server.kill()
    file = str(make_url(rig.url).database)
    disk.cut(file)

    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    connection.close()
    server.start()
    wait_until(lambda: all(viewer.done.is_set() for viewer in recorder.viewers), 60)

    return recorder


@pytest.mark.cells("wal-gevent", only="sqlite")
def test_F10_the_power_is_cut(rig: Rig, tmp_path: Path) -> None:
    """F10: nothing that was shown is lost. PostgreSQL's own promise is its own to keep; that it is
    asked for, and a crash of all its processes, are tested (F11)."""

    recorder = cut_in_mid_answer(rig, tmp_path / "disk", "power")
    case = check_all(recorder)

    assert all(message.text for message in case.stored.messages.values())


@pytest.mark.faults
@pytest.mark.cells("wal-gevent", only="sqlite")
def test_F10_the_cut_takes_what_was_not_synced(rig: Rig, tmp_path: Path) -> None:
    """Of the shim itself: ``process`` syncs nothing, and text that was shown is gone."""

    recorder = cut_in_mid_answer(rig, tmp_path / "disk", "process")

    assert any(fault.startswith("I1: ") for fault in find_faults(recorder.gather()))
