"""Every fault has a test of its name, and the documentation says which."""

from __future__ import annotations

import re

import pytest

from tests.services import ROOT

from .ids import FAULTS, find_tests, table

DOCS = ROOT / "docs" / "faults.md"


@pytest.mark.parametrize("id", FAULTS)
def test_every_fault_has_a_test(id: str) -> None:
    assert find_tests(id)


def test_no_number_is_left_out() -> None:
    # 09, a limit of memory, ends as F01 does.
    assert list(FAULTS) == [f"F{n:02}" for n in range(1, 49) if n != 9]


def test_every_test_has_the_id_of_a_fault() -> None:
    named = {id for name in re.findall(r"`(test_F\w+)`", table()) for id in _ids(name)}

    assert named <= set(FAULTS)


def _ids(name: str) -> list[str]:
    return re.findall(r"F\d\d", name)


def test_the_table_is_documented() -> None:
    """``python -m tests.faults.ids`` prints what has to stand there."""

    assert table() in DOCS.read_text()
