"""Rigs: one of its own for a test that kills, one for all tests of a cell that do not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .recorder import Recorder
from .rig import DATABASES, SERVERS, Cell, Rig, Server, rigged


def _marked(cell: Cell) -> object:
    marks = [pytest.mark.db] if cell.database == "postgres" else []

    return pytest.param(cell, marks=marks, id=str(cell))


#: The long loops: every cell, and rounds for a minute each.
LONG = os.environ.get("CHATSTREAM_TEST_LONG") == "1"
ALL = [Cell(database, server) for database in DATABASES for server in SERVERS]
#: The embedded file and a host's file in WAL mode differ in who made the engine: one each.
FEW = [Cell("wal", "gevent"), Cell("embedded", "gthread"), *ALL[-2:]]
CELLS = [_marked(cell) for cell in (ALL if LONG else FEW)]


@dataclass(frozen=True)
class Pair:
    """Two servers of one worker each, on one database."""

    rig: Rig
    a: Server
    b: Server
    before: dict[int, dict[str, int]]


@pytest.fixture(params=CELLS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A rig whose servers may be killed."""

    with rigged(request.param, tmp_path) as rig:
        yield rig


@pytest.fixture(scope="package", params=CELLS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Two servers that live through all tests of this folder."""

    with rigged(request.param, tmp_path_factory.mktemp("pair")) as rig:
        a, b = rig.serve(1, 1)
        recorder = Recorder(rig)
        recorder.warm_up(a, b)

        yield Pair(rig, a, b, recorder.before)
