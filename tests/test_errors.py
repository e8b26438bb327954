"""The tree of errors, and the words for people."""

from __future__ import annotations

import inspect
import re

import pytest

from flask_chatstream import errors
from flask_chatstream.errors import PROVIDER_CODES, ChatStreamError, ProviderError, RequestError

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, ChatStreamError)
]
REQUEST_ERRORS = [c for c in CLASSES if issubclass(c, RequestError)]


def test_the_drawing_names_every_error_and_its_status():
    drawn = re.findall(r"[├└]── (\w+) +(\d+)?", errors.__doc__)
    statuses = {name: int(status) for name, status in drawn if status}

    assert {name for name, _ in drawn} == {c.__name__ for c in CLASSES} - {"ChatStreamError"}
    assert statuses == {c.__name__: c.status for c in REQUEST_ERRORS if c is not RequestError}


@pytest.mark.parametrize("kind", REQUEST_ERRORS)
def test_a_request_error_carries_what_its_answer_needs(kind):
    error = kind("In words.")

    assert (error.message, str(error), error.retry_after) == ("In words.", "In words.", None)
    assert error.code == kind.code


def test_public_codes_of_request_errors_are_apart():
    codes = [c.code for c in REQUEST_ERRORS if c is not RequestError]

    assert len(set(codes)) == len(codes)


def test_a_code_and_a_time_can_be_given():
    error = errors.Conflict("Later.", code="generation_active", retry_after=3)

    assert (error.code, error.retry_after, errors.Conflict.code) == (
        "generation_active",
        3,
        "conflict",
    )


def test_missing_and_foreign_are_told_in_the_same_words():
    assert errors.NotFound().message == errors.NotFound().message != ""


def test_a_provider_error_is_no_request_error_and_knows_only_public_codes():
    assert not issubclass(ProviderError, RequestError)
    assert str(ProviderError("timeout")) == PROVIDER_CODES["timeout"]
    assert str(ProviderError("timeout", "10.0.0.7 said nothing")) == "10.0.0.7 said nothing"

    with pytest.raises(ValueError, match="unknown provider error code 'secret'"):
        ProviderError("secret")


@pytest.mark.parametrize("code", sorted(PROVIDER_CODES))
def test_every_code_has_a_sentence_for_a_person(code):
    assert re.fullmatch(r"[A-Z][^.]+\.", PROVIDER_CODES[code])
    assert len(code) <= 64
