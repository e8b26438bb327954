"""What a provider says about a failure into the public codes of `errors.PROVIDER_CODES`. Pure.

The provider's own words go to the log only (S17), and without anything that looks like a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from flask_chatstream.errors import ProviderError

_BY_STATUS = {
    401: "authentication",
    402: "quota",
    403: "authentication",
    408: "timeout",
    409: "provider",
    413: "context_length",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
_RETRYABLE = {"connection", "incomplete", "overloaded", "provider", "rate_limited", "timeout"}

#: Read against the provider's code, type, status and message, in this order: the same status
#: stands for different things, and gateways put another one on the same failure.
_BY_WORDS = [
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        ("quota", r"insufficient_quota|billing_|insufficient.(credit|balance|funds)"),
        ("context_length", r"context_length|context.window|maximum context|prompt is too long"),
        ("content_filter", r"content_filter|content_policy|responsible ai|content management"),
        ("model_not_found", r"model_not_found|deploymentnotfound|models?\W.{0,80} does not exist"),
        ("model_not_found", r"models/\S+ is not found|^model: \S+$"),
        ("authentication", r"invalid_api_key|api_key_invalid|api.key not valid|authentication_err"),
        ("rate_limited", r"rate_limit"),
        ("overloaded", r"overloaded|no healthy upstream|over capacity"),
    )
]
_SECRET = re.compile(
    r"""\b(?:sk|pk|gsk|xai|key|api|r8|hf|AIza)[-_]?[\w*.-]{10,}   # keys by their prefix
    | \bBearer\s+\S+
    | (?<=//)[^/\s@]+@                                            # user and password in a URL
    | (?:api|access|subscription)?[\ _-]?key(?:\ provided)?["']?\s*[:=]\s*["']?\S+""",
    re.IGNORECASE | re.VERBOSE,
)


def error_from_status(
    status: int, body: object, headers: Mapping[str, str], secrets: tuple[str, ...] = ()
) -> ProviderError:
    """The error for a response that was refused."""

    error = _error_object(body)
    words = _words(error)
    code = _code(status, error, words)

    return _make(code, f"HTTP {status}: {words}", secrets, retry_after(headers))


def error_from_body(error: object, secrets: tuple[str, ...] = ()) -> ProviderError:
    """The error for an error object inside a stream or under HTTP 200."""

    error = _error_object(error)
    words = _words(error)
    status = error.get("code") if isinstance(error, dict) else None
    if not isinstance(status, int):
        status = error.get("status") if isinstance(error, dict) else None

    code = _code(status if isinstance(status, int) else 500, error, words)

    return _make(code, f"error in the stream: {words}", secrets, None)


def scrub(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Text without the given secrets and without anything that looks like a key."""

    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")

    return _SECRET.sub("[key]", text)


def _make(code: str, detail: str, secrets: tuple[str, ...], seconds: float | None) -> ProviderError:
    return ProviderError(
        code,
        scrub(detail, secrets)[:500],
        retryable=code in _RETRYABLE,
        retry_after=seconds,
    )


def _code(status: int, error: object, words: str) -> str:
    for code, pattern in _BY_WORDS:
        if pattern.search(words):
            return code

    if status == 404:
        # A server that has no such address answers with a page, one that has no such model
        # with an error object.
        return "model_not_found" if isinstance(error, dict) else "configuration"

    if 300 <= status < 400:
        return "configuration"

    return _BY_STATUS.get(status) or ("provider" if status >= 500 else "invalid_request")


def _error_object(body: object) -> object:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return body

    if isinstance(body, list) and body:
        body = body[0]

    if isinstance(body, dict) and body.get("error"):
        return body["error"]

    return body


def _words(error: object) -> str:
    """Code, type, status and message, each on its line."""

    if not isinstance(error, dict):
        return str(error or "")[:2000]

    fields = [error.get(name) for name in ("code", "type", "status", "message")]
    fields += [_reason(detail) for detail in _details(error)]

    return "\n".join(str(field)[:2000] for field in fields if field not in (None, ""))


def _details(error: dict[str, Any]) -> list[Any]:
    details = error.get("details")

    return details if isinstance(details, list) else []


def _reason(detail: object) -> object:
    return detail.get("reason") if isinstance(detail, dict) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``retry-after-ms`` or ``Retry-After``, which is a number or a date."""

    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000

    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return seconds

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d*)?", text.strip()) else None
