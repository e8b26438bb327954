"""What is logged of an error: its kind, its lines and ids; nothing that it held."""

from __future__ import annotations

import logging
import traceback

import pytest

from flask_chatstream.errors import ProviderError, StorageUnavailable
from flask_chatstream.failures import LEFT_OUT, make_likeness, report

logger = logging.getLogger("tests.failures")
SECRET = "-".join(("canary", "7f3a"))


class Spoken(Exception):
    """Holds text in an attribute, a note and its words."""

    def __init__(self, text: str):
        super().__init__(text)
        self.text = text
        self.add_note(text)


def fail(depth: int, text: str) -> None:
    if depth:
        fail(depth - 1, text)

    try:
        raise KeyError(text)
    except KeyError as error:
        if text.endswith("unrelated"):
            raise Spoken(text) from None
        raise Spoken(text) from error


def caught(text: str = SECRET, depth: int = 2) -> Exception:
    try:
        fail(depth, text)
    except Spoken as error:
        return error

    raise AssertionError


def test_a_likeness_has_the_same_names_and_lines() -> None:
    error = caught()
    likeness = make_likeness(error)
    lines = [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(error.__traceback__)]
    alike = [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(likeness.__traceback__)]

    assert alike == lines and len(alike) == 4
    assert type(likeness).__qualname__ == "Spoken"
    assert type(likeness).__module__ == Spoken.__module__
    assert "The above exception was the direct cause" in "".join(
        traceback.format_exception(likeness)
    )


def test_a_likeness_holds_nothing() -> None:
    likeness = make_likeness(caught())
    found = traceback.TracebackException.from_exception(likeness, capture_locals=True)

    assert SECRET not in "".join(found.format())
    assert str(likeness) == LEFT_OUT and vars(likeness) == {}
    assert likeness.__cause__ is not None and likeness.__context__ is None
    assert make_likeness(caught(SECRET + "unrelated")).__cause__ is None


def test_our_own_errors_say_what_the_site_needs() -> None:
    away = StorageUnavailable("The chat's database does not answer just now.")

    assert str(make_likeness(away)) == str(away)
    assert str(make_likeness(ProviderError("quota", SECRET))).startswith("The site's allowance")
    assert traceback.format_exception(make_likeness(away))  # which was never raised


def test_a_report_has_ids_and_the_whole_error_for_those_who_ask(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        report(logger, caught(), "Thing %d failed.", 3, thing_id=3, mount=None)

    (record,) = caplog.records
    assert record.getMessage() == "Thing 3 failed." and record.__dict__["chatstream_thing_id"] == 3
    assert not hasattr(record, "chatstream_mount") and SECRET not in caplog.text
    assert record.funcName == "test_a_report_has_ids_and_the_whole_error_for_those_who_ask"

    with caplog.at_level(logging.DEBUG):
        report(logger, caught(), "Thing failed.")

    assert [r.levelname for r in caplog.records[1:]] == ["ERROR", "DEBUG"]
    assert SECRET in caplog.text
