"""Clocks that are wrong, and sweepers that come all at once (F47, F48)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from .acts import check_all, statuses, stop
from .recorder import Recorder
from .rig import Rig, Setup, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

HOUR = 3600.0
BRIEF = Setup(config={"CHATSTREAM_LEASE_SECONDS": 2.0, "CHATSTREAM_SWEEP_SECONDS": 0.5})


@pytest.mark.faults
@pytest.mark.cells(only="postgres")
def test_F47_workers_whose_clocks_are_hours_apart(rig: Rig) -> None:
    """F47: no lease is stolen, and who died is found; the users of a file share its clock."""

    (fast,) = rig.serve(1, setup=replace(BRIEF, ahead=HOUR))
    (slow,) = rig.serve(1, setup=replace(BRIEF, ahead=-HOUR))
    recorder = Recorder(rig)
    people = [recorder.person("ada"), recorder.person("grace")]

    for server, other, person in zip((fast, slow), (slow, fast), people, strict=True):
        chat = recorder.ask(server, person, 400, 100)
        recorder.follow_all(other, chat)

    case = check_all(recorder)

    assert [statuses(case, person) for person in people] == [{"completed"}] * 2


@pytest.mark.cells("embedded-gthread")
def test_F48_all_sweep_at_once(rig: Rig) -> None:
    """F48: each orphan is ended once by whoever, and those that are written go on."""

    doomed, *others = rig.serve(1, 1, 1, setup=BRIEF)
    recorder = Recorder(rig)
    ada, grace = recorder.person("ada"), recorder.person("grace")
    orphans = [recorder.ask(doomed, ada, 4000, 50) for _ in range(6)]
    living = [recorder.ask(server, grace, 4000, 50) for server in others]
    recorder.wait_shown([*orphans, *living], 20)
    doomed.kill()
    rig.servers.remove(doomed)

    for n, orphan in enumerate(orphans):
        orphan.client.port = others[n % 2].port

    wait_until(lambda: all(orphan.done.is_set() for orphan in orphans), 20)
    found = [id for s in others for id in recorder.client(s, ada).request("GET", "/ended").json()]
    before = recorder.snapshot()
    stop(recorder, others[0], living)
    case = check_all(recorder)

    assert Counter(found) == dict.fromkeys(found, 1)
    assert len(found) == len(orphans)
    assert statuses(case, ada) == {"interrupted"}
    assert sorted(g.status for g in before.generations) == ["interrupted"] * 6 + ["running"] * 2
