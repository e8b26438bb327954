"""The seeded model test: two or three processes, and everything that may happen to them."""

from __future__ import annotations

import pytest

from .acts import check_all
from .rig import Rig, Setup
from .walk import Walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BRIEF = Setup(config={"CHATSTREAM_LEASE_SECONDS": 2.0, "CHATSTREAM_SWEEP_SECONDS": 0.5})


@pytest.mark.cells("wal-gevent")
def test_a_walk_led_by_a_seed(rig: Rig, seed: int, is_long: bool) -> None:
    """Ask, stop, kill, pause, delete, come back, regenerate: the ten invariants hold all the time.

    ``--seed`` takes the choices of a walk that failed; moments are the machine's own.
    """

    servers = rig.serve(*([1] * (3 if is_long else 2)), setup=BRIEF)
    walk = Walk(rig, servers, seed)
    walk.go(60 if is_long else 8)

    print(*walk.log, sep="\n")
    check_all(walk.recorder, walk.deleted)
