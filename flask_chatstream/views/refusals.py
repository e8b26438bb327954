"""How a refusal looks: JSON for the API, words for htmx, a page that keeps what was typed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flask import Response, current_app, make_response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, default_exceptions

from flask_chatstream.access import (
    find_sign_in,
    lacks_token,
    lead_to_sign_in,
    request_values,
)
from flask_chatstream.errors import (
    N_,
    ChatStreamError,
    ConfigurationError,
    RequestError,
    SchemaError,
    SignInRequired,
    StorageUnavailable,
    TooManyRequests,
)
from flask_chatstream.htmx import htmx
from flask_chatstream.models import new_id
from flask_chatstream.state import get_state

from .languages import english, get_language
from .replies import json_reply
from .templates import render_page, render_part
from .visit import current_chat, is_api

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class ErrorView:
    """A refusal as a template shows it."""

    status: int
    code: str
    message: str
    retry_after: int | None = None
    sign_in_url: str | None = None


def refuse(error: Exception) -> Response:
    """A refusal in the dress of its request: JSON, a fragment for htmx, or a page."""

    view = _view(error, english().say if _is_for_a_program(error) else get_language().say)

    if _is_htmx_alone():
        return _in_words(view)

    response = _way_in(error) or _dressed(view)
    response.headers["Cache-Control"] = "no-store"

    if view.retry_after is not None:
        response.headers["Retry-After"] = str(view.retry_after)

    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())

    return response


def _is_for_a_program(error: Exception) -> bool:
    """Whether a program reads it: the API speaks English and goes on to."""

    is_stream = "text/event-stream" in request.headers.get("Accept", "")

    return is_api() or (isinstance(error, SignInRequired) and is_stream)


def _way_in(error: Exception) -> Response | None:
    """The way to the site's log-in, for a page that needs somebody."""

    is_page = request.method in {"GET", "HEAD"} and wants_page() and not htmx()

    if not isinstance(error, SignInRequired) or not is_page or is_api() or _is_part():
        return None

    answer = lead_to_sign_in(get_state().settings)

    return None if answer is None else make_response(answer)


def _is_part() -> bool:
    """Whether the chat inside a page of the site is asked for."""

    return request.args.get("view") in {"widget", "panel"}


def _dressed(view: ErrorView) -> Response:
    response = _dress(view)
    response.status_code = view.status

    if view.sign_in_url is not None and htmx() and request.method == "GET":
        response.headers["HX-Redirect"] = view.sign_in_url

    return response


def _is_htmx_alone() -> bool:
    """Whether an act came by htmx without our script, which names itself in ``live``."""

    return bool(htmx()) and request.method == "POST" and not is_api() and not _typed("live", "1")


def _in_words(view: ErrorView) -> Response:
    """The refusal for a page with htmx alone; 200, as htmx 1 and 2 show nothing of an error's."""

    return make_response(render_part("_refusal", error=view, oob="outerHTML"))


def _view(error: Exception, say: Callable[..., str]) -> ErrorView:
    if isinstance(error, SignInRequired):
        address = find_sign_in(get_state().settings)

        return ErrorView(error.status, error.code, say(error.words), sign_in_url=address)

    if isinstance(error, RequestError):
        words = say(error.words, **error.values)

        return ErrorView(error.status, error.code, words, error.retry_after)

    if isinstance(error, ConfigurationError):
        is_told = current_app.debug or current_app.testing
        words = str(error) if is_told else say(N_("The chat is not set up on this site."))

        return ErrorView(503, "not_set_up", words)

    if isinstance(error, SchemaError):
        logger.error("%s", error)
        return ErrorView(503, "not_set_up", say(N_("The chat is not ready yet.")), None)

    if isinstance(error, StorageUnavailable):
        logger.warning("The database was not available.", exc_info=error)
        words = say(N_("The chat's database does not answer just now. Please try again."))

        return ErrorView(503, "storage_unavailable", words, RETRY_SECONDS)

    return _http_view(error, say)


def _http_view(error: Exception, say: Callable[..., str]) -> ErrorView:
    status = error.code or 500 if isinstance(error, HTTPException) else 500

    if _is_about_token(error):
        words = say(N_("This page has been open for long. Please send it again."))

        return ErrorView(400, "csrf", words)

    if status == 413:
        return ErrorView(413, "too_large", say(N_("The message is too long.")))

    if status == 429:
        words = _own_words(error) or say(N_("Too many requests at once. Please wait a moment."))

        return ErrorView(429, TooManyRequests.code, words, _retry_after(error))

    if status == 405:
        words = say(N_("%(method)s is not for this address."), method=request.method)

        return ErrorView(405, "method_not_allowed", words)

    words = _own_words(error) or say(N_("The request cannot be served."))

    return ErrorView(status, f"http_{status}", words, _retry_after(error))


def _own_words(error: Exception) -> str | None:
    """The site's words for people: not Flask-Limiter's rule, nor werkzeug's English."""

    words = getattr(error, "description", None)
    rule = getattr(getattr(error, "limit", None), "limit", None)
    common = getattr(default_exceptions.get(getattr(error, "code", None) or 0), "description", None)

    return None if words in (None, str(rule), common) else str(words)


def _retry_after(error: Exception) -> int | None:
    """The seconds that werkzeug's 429 and 503 may name, as a number or a moment."""

    value = getattr(error, "retry_after", None)

    if isinstance(value, datetime):
        moment = value.replace(tzinfo=value.tzinfo or UTC)
        value = (moment - datetime.now(UTC)).total_seconds()

    return None if value is None else max(0, math.ceil(value))


def _is_about_token(error: Exception) -> bool:
    """Whether the host's CSRF protection wants another token: Flask-WTF's, SeaSurf's, its own."""

    words = getattr(error, "description", None)
    is_named = type(error).__name__ == "CSRFError" or words == "CSRF token missing or incorrect."

    return is_named or (getattr(error, "code", None) in {400, 403} and _is_act() and lacks_token())


def _is_act() -> bool:
    return request.method not in {"GET", "HEAD", "OPTIONS"}


def _dress(view: ErrorView) -> Response:
    needs_somebody = view.code == SignInRequired.code

    if is_api() or (needs_somebody and "text/event-stream" in request.headers.get("Accept", "")):
        error = {
            "code": view.code,
            "message": view.message,
            "request_id": request_values().get("id") or new_id(),
        }

        return json_reply({"error": error})

    if needs_somebody and _is_part():
        return make_response(render_part("_sign_in", error=view))

    if htmx() or not wants_page():
        return make_response(render_part("_error", error=view))

    # The same key, because what is sent again may have been stored after all.
    key = _typed("key") if view.code != "invalid_key" else ""

    return make_response(
        render_page(
            "error",
            chat=replace(current_chat("page"), form_key=key or new_id()),
            error=view,
            content=_typed("content"),
            action=request.url if request.method == "POST" else None,
        )
    )


def _typed(name: str, unreadable: str = "") -> str:
    """A field of the refused form; ``unreadable`` when the form is too large to be read."""

    try:
        return request.form.get(name, "")
    except HTTPException:
        return unreadable


def wants_page() -> bool:
    """Whether a person's browser asked for a page."""

    return "text/html" in request.headers.get("Accept", "")


#: What `refuse` answers: by code too, because a host's handler of a code goes before a
#: blueprint's handler of a class.
REFUSED: tuple[type[Exception] | int, ...] = (
    ChatStreamError,
    HTTPException,
    *sorted(default_exceptions),
)
