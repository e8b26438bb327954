"""The benchmarks still run, what they lose is an error, and the docs hold their tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import measure_all
from benchmarks.bench import Bench
from benchmarks.client import Record, check
from benchmarks.report import markdown, seen
from benchmarks.row import Figure, Load, Lost, Row, Values
from benchmarks.rows import ROWS
from benchmarks.scaling import SITES, Measured, Site, calculate, table
from tests.services import ROOT


@pytest.mark.slow
def test_every_row_is_measured(tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--keep", str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    found = json.loads(kept.read_text())

    assert list(found) == list(ROWS)
    assert all(values for (values,) in found.values())


@pytest.mark.parametrize(
    ("data", "is_well"),
    [
        (b"~7.0.000000001 ~7.1.000000002 ", True),
        (b"~7.0.000000001 ", False),
        (b"~7.1.000000002 ", False),
        (b"~7.0.000000001 ~8.0.000000001 ~7.1.000000002 ", False),
    ],
    ids=["whole", "short", "hole", "foreign"],
)
def test_lost_and_foreign_text_is_an_error(data: bytes, is_well: bool) -> None:
    record = Record(sid=7, count=2)
    record.feed(data[:9])
    record.feed(data[9:])

    if is_well:
        check([record])
        return

    with pytest.raises(Lost):
        check([record])


def test_a_row_that_loses_text_fails_the_run_and_leaves_the_others() -> None:
    def lose(bench: Bench, load: Load) -> Values:
        raise Lost("1 token was lost")

    load, found = Load(rounds=1), {"first": [{"figure": 1.0}]}
    first = Row("first", "loses text", lose, (), load, load)
    second = Row("second", "is well", lambda bench, load: {"figure": 2.0}, (), load, load)
    bench = Bench(shares=True)

    try:
        assert not measure_all(bench, [(first, load), (second, load)], found)
        assert measure_all(bench, [(second, load)], found)
    finally:
        bench.close()

    assert found == {"second": [{"figure": 2.0}]}


def test_a_figure_is_the_median_of_its_rounds() -> None:
    figure = Figure("cost", "CPU per chunk", "x", most=1.15)

    assert seen(figure, [1.3, 1.0, 1.12]) == "1.12x (1.00 - 1.30)"
    assert figure.verdict([1.3, 1.0, 1.12]) == "reached"
    assert figure.verdict([1.3, 1.2, 1.0]) == "missed"
    assert Figure("rows", "rows", "/s", least=10_000).verdict([9_999.0]) == "missed"


def test_the_docs_list_every_figure_with_its_goal() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    wanted = [_cells(line)[:3] for line in markdown(ROWS.values(), {})]
    found = [_cells(line)[:3] for line in text.splitlines() if line.startswith("|")]
    start = found.index(wanted[0])

    assert found[start : start + len(wanted)] == wanted


def test_the_docs_hold_the_calculation() -> None:
    text = (ROOT / "docs" / "scaling.md").read_text()
    wanted = [_cells(line)[:2] for line in table(SITES, None)]
    found = [_cells(line)[:2] for line in text.splitlines() if line.startswith("|")]
    start = found.index(wanted[0])

    assert found[start : start + len(wanted)] == wanted


def test_the_calculation_is_that_of_its_formulas() -> None:
    measured = Measured(core=0.01, kilobytes=50, rows=10_000)
    steps = {step.symbol: step.value for step in calculate(Site(answered=0.1), measured)}

    assert steps["S"] == 100_000
    assert steps["C"] == 2_000_000
    assert steps["P"] == pytest.approx(100_000 * 0.01 / 0.6, abs=1)
    assert steps["D"] == pytest.approx(steps["R"] / (10_000 * 0.6), abs=1)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
