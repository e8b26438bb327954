"""The faults by their ids, and where each is tested: ``python -m tests.faults.ids`` is the table of
``docs/faults.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

FAULTS = {
    "F01": "kill -9 of the worker that writes",
    "F02": "kill -9 of all, then a restart",
    "F03": "SIGTERM of a deploy",
    "F04": "SIGKILL at the end of the grace",
    "F05": "a worker sleeps past its lease and goes on",
    "F06": "workers are recycled",
    "F07": "the app is loaded before the fork",
    "F08": "an exception at the N-th step",
    "F10": "the power is cut",
    "F11": "the database crashes and restarts",
    "F12": "connections are ended five times a second",
    "F13": "the database hangs for ten seconds",
    "F14": "200 viewers and a pool of two",
    "F15": "another process holds the lock for three seconds",
    "F16": "eight writers on SQLite",
    "F17": "the disk is full, then there is space",
    "F18": "the write-ahead log of SQLite stays small",
    "F19": "the database is read-only, or tables are missing",
    "F20": "a backup while answers are written",
    "F21": "the old and the new release side by side",
    "F22": "the provider refuses, or is not there",
    "F23": "no first byte; silence in mid-answer",
    "F24": "broken off at any byte",
    "F25": "nonsense in place of an answer",
    "F26": "one byte a second",
    "F27": "no end; 10 MB at once; 100,000 pieces",
    "F28": "surrogates, NUL, odd line ends, cut anywhere",
    "F29": "an answer without words",
    "F30": "redirects and compressed bombs",
    "F31": "1,000 viewers vanish",
    "F32": "a viewer that never reads",
    "F33": "the same submit twenty times at once",
    "F34": "resumed at every position",
    "F35": "hostile cursors",
    "F36": "text between the catch-up and the live part",
    "F37": "the same event twice, and late",
    "F38": "503 during a deploy",
    "F39": "a buffering proxy, seven tabs, back and forward, sleep",
    "F40": "written on one worker, watched on the other",
    "F41": "1,000 viewers come back after a restart",
    "F42": "a stop at the moment of the end",
    "F43": "two stops on two workers",
    "F44": "a stop while the provider, or the database, is silent",
    "F45": "stopped, and answered anew at once",
    "F46": "deleted, claimed or revoked in mid-answer",
    "F47": "clocks that are hours apart",
    "F48": "all workers sweep at once",
}
_HERE = Path(__file__).parent
_ID = re.compile(r"\bF[0-4]\d\b")
_TEST = re.compile(r"^def (test_\w+)", re.M)


def find_tests(id: str) -> list[str]:
    """The tests in this folder that have an id in their name."""

    names = [name for path in _HERE.glob("test_*.py") for name in _TEST.findall(path.read_text())]

    return sorted(name for name in names if f"_{id}_" in name)


def find_modules(id: str) -> list[str]:
    """The modules of other tests that name it."""

    paths = [path for path in _HERE.parent.rglob("test_*.py") if path.parent != _HERE]

    return sorted(path.stem for path in paths if id in _ID.findall(path.read_text()))


def table() -> str:
    """Every fault and its tests, in Markdown."""

    rows = [
        f"| {id} | {what} | {_code(find_tests(id))} | {_code(find_modules(id))} |"
        for id, what in FAULTS.items()
    ]

    return "\n".join(["| | fault | `tests/faults` | more, in parts |", "|---|---|---|---|", *rows])


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(table())
