"""What providers say when they refuse, as public codes without secrets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from flask_chatstream.errors import PROVIDER_CODES
from flask_chatstream.providers.chat_errors import (
    error_from_body,
    error_from_status,
    retry_after,
    scrub,
)

CANARY = "sk-canary-0123456789abcdef"


def body(message: str = "", **fields: object) -> dict[str, object]:
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (400, body("x"), "invalid_request"),
        (400, body("x", code="context_length_exceeded"), "context_length"),
        (400, body("This model's maximum context length is 8192 tokens"), "context_length"),
        (400, body("x", code="content_filter"), "content_filter"),
        (400, body("x", code="model_not_found"), "model_not_found"),
        (400, body("API key not valid. Please pass a valid API key."), "authentication"),
        (400, "", "invalid_request"),
        (401, body("x"), "authentication"),
        (401, "<html>Sign in</html>", "authentication"),
        (402, body("x"), "quota"),
        (403, body("x"), "authentication"),
        (404, body("x"), "model_not_found"),
        (404, "<h1>Not found</h1>", "configuration"),
        (404, None, "configuration"),
        (301, "", "configuration"),
        (405, "", "invalid_request"),
        (408, "", "timeout"),
        (409, "", "provider"),
        (413, "", "context_length"),
        (422, {"detail": "x"}, "invalid_request"),
        (429, body("x"), "rate_limited"),
        (429, body("x", code="insufficient_quota"), "quota"),
        (500, "", "provider"),
        (502, "<html>", "provider"),
        (503, "", "overloaded"),
        (504, "", "provider"),
        (529, body("Overloaded", type="overloaded_error"), "overloaded"),
    ],
)
def test_codes_of_refusals(status: int, answer: object, code: str) -> None:
    failure = error_from_status(status, answer, {})

    assert failure.code == code
    assert failure.retryable == (status in {408, 409, 429, 500, 502, 503, 504, 529}) or (
        code == "quota"
    )


EXPECTED = {
    ("api.anthropic.com", 404): "model_not_found",
    ("api.groq.com", 404): "model_not_found",
    ("api.openai.com", 404): "model_not_found",
    ("traceloop-stg.openai.azure.com", 404): "model_not_found",
    ("test-resource.openai.azure.com", 401): "authentication",
    ("openrouter.ai", 429): "rate_limited",
}


def test_every_recorded_refusal_has_a_code_and_no_secret(corpora: Callable[[str], Path]) -> None:
    rows = json.loads(corpora("providers/errors.json").read_text())
    assert len(rows) > 50

    for row in rows:
        refusals = [row["body"], json.loads(row["body"])]
        status = row["status"] or 400
        codes = {error_from_status(status, refusal, {}).code for refusal in refusals}

        assert len(codes) == 1 and codes <= set(PROVIDER_CODES), row
        wanted = EXPECTED.get((row["provider"], row["status"]), "")
        assert wanted in codes or not wanted, row
        assert "key1234" not in str(error_from_status(status, row["body"], {})), row
        if "API key not valid" in row["body"]:
            assert codes == {"authentication"}
        if "model_not_found" in row["body"]:
            assert codes == {"model_not_found"}


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {CANARY}.",
        f'{{"error": {{"message": "bad key {CANARY}"}}}}',
        f"Authorization: Bearer {CANARY}",
        "Invalid API key: key1234",
        "api_key=abcdef",
        "see https://user:hunter2@host.example/v1",
        "the site's own: not-a-usual-shape",
    ],
)
def test_no_key_is_repeated(text: str) -> None:
    secrets = ("not-a-usual-shape", "")
    failures = [
        error_from_status(401, text, {}, secrets),
        error_from_status(401, body(text), {}, secrets),
        error_from_body(body(text), secrets),
    ]

    for said in (scrub(text, secrets), *map(str, failures)):
        assert not any(
            secret in said
            for secret in (CANARY, "canary", "key1234", "abcdef", "hunter2", "not-a-usual")
        )


def test_a_long_page_is_cut() -> None:
    assert len(str(error_from_status(500, "x" * 1_000_000, {}))) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    assert error_from_status(429, "", headers).retry_after == seconds


def test_when_to_come_back_as_a_date() -> None:
    seconds = retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)})

    assert seconds is not None and 95 < seconds < 101
