"""Cells, and rigs in them: one of its own for a test that kills, one for all that do not.

A cell is a database and a kind of worker. A test runs in all four, or in those of its mark
``cells``; with ``--cells`` in the one that is named there, and what is marked ``faults`` runs then
only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from .recorder import Recorder
from .rig import DATABASES, Cell, Rig, Server, rigged

#: The embedded file and a host's file in WAL mode differ in who made the engine: one each.
CELLS = ("wal-gevent", "embedded-gthread", "postgres-gevent", "postgres-gthread")
#: What a test can be held to with ``cells(only=...)``, several with spaces between them.
KINDS = {"sqlite": ("embedded", "wal"), "postgres": ("postgres",), "mariadb": ("mariadb",)}
SERVED = ("postgres", "mariadb")
_ID = re.compile(r"F\d\d")
_ENDS = ("passed", "failed", "error")
FIXTURES = {"rig": "function", "pair": "package"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its cells."""

    mark = metafunc.definition.get_closest_marker("cells")

    for fixture, scope in FIXTURES.items():
        if fixture in metafunc.fixturenames and not _has_own(metafunc, fixture):
            cells = [_marked(name) for name in _cells(metafunc.config, mark)]
            metafunc.parametrize(fixture, cells, indirect=True, scope=scope)  # type: ignore[arg-type]


def _has_own(metafunc: pytest.Metafunc, fixture: str) -> bool:
    return any(
        fixture in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize")
    )


def _cells(config: pytest.Config, mark: pytest.Mark | None) -> list[str]:
    wanted = config.getoption("--cells")
    mine = mark.args if mark and mark.args else CELLS
    kinds = mark.kwargs.get("only", "").split() if mark else []
    only = [name for kind in kinds for name in KINDS[kind]] or DATABASES
    names = {"": mine, "all": (*CELLS, *(n for n in mine if n not in CELLS))}.get(wanted, (wanted,))

    return [name for name in names if name.partition("-")[0] in only]


def _marked(name: str) -> object:
    database, _, server = name.partition("-")
    marks = [pytest.mark.db] if database in SERVED else []

    return pytest.param(Cell(database, server), marks=marks, id=name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out, unless a cell was named."""

    if config.getoption("--cells"):
        return

    long = [item for item in items if item.get_closest_marker("faults")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """One line for the cell that was asked for."""

    if not (cell := config.getoption("--cells")):
        return

    ids = {name: _ids(terminalreporter.stats.get(name, [])) for name in _ENDS}
    bad = ids["failed"] | ids["error"]
    words = f"{len(ids['passed'] - bad)} faults hold, {len(bad)} do not {' '.join(sorted(bad))}"
    terminalreporter.write_line(f"{cell}: {words}".rstrip())


def _ids(reports: list[pytest.TestReport]) -> set[str]:
    return {id for r in reports for id in _ID.findall(r.nodeid.partition("[")[0])}


@pytest.fixture
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether a test may take its time."""

    return bool(pytestconfig.getoption("--cells"))


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """What a test's own chances follow from: ``--seed``, or a new one."""

    given: int | None = pytestconfig.getoption("--seed")

    seed = random.SystemRandom().randrange(2**32) if given is None else given
    print(f"--seed {seed}")

    return seed


@dataclass(frozen=True)
class Pair:
    """Two servers of one worker each, on one database."""

    rig: Rig
    a: Server
    b: Server
    before: dict[int, dict[str, int]]


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A rig whose servers may be killed."""

    with rigged(request.param, tmp_path) as rig:
        yield rig


@pytest.fixture(scope="package")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Two servers that live through all tests of this folder."""

    with rigged(request.param, tmp_path_factory.mktemp("pair")) as rig:
        a, b = rig.serve(1, 1)
        recorder = Recorder(rig)
        recorder.warm_up(a, b)

        yield Pair(rig, a, b, recorder.before)


@pytest.fixture
def recorder(pair: Pair, seed: int) -> Recorder:
    """Whoever looks at the pair in this test."""

    return Recorder(pair.rig, pair.before, seed)
