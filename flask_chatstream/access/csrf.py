"""The host's own CSRF protection: its token, and by which names it is sent.

Flask-WTF and SeaSurf are known by their settings. Any other is known by ``csrf_token`` in the
templates; where its token lies plainly in the session, as in Flask's old snippet, the session's key
is the name of the field too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import current_app, has_request_context, request, session
from werkzeug.exceptions import HTTPException

from .values import request_values

NAME = "csrf_token"
HEADER = "X-CSRFToken"


def csrf_token() -> str:
    """The token of the host's CSRF protection, or "" when it has none."""

    found = _find()

    return str(found() if callable(found) else found or "")


def csrf_names() -> tuple[str, str]:
    """The header and the form field in which the host's CSRF protection looks for its token."""

    config = current_app.config

    if getattr(_find(), "__module__", None) == "flask_seasurf":  # it registers nothing else
        header = config.get("CSRF_HEADER_NAME", HEADER)

        return header, config.get("CSRF_COOKIE_NAME", "_csrf_token")

    headers = config.get("WTF_CSRF_HEADERS") or [HEADER]

    return headers[0], config.get("WTF_CSRF_FIELD_NAME") or _session_key() or NAME


def lacks_token() -> bool:
    """Whether this request came without the token that lies plainly in the session.

    Who wrote the protection says no more than 403 then. A token that is good for one act is
    another already.
    """

    if _session_key() is None:
        return False

    header, field = csrf_names()
    sent = [request.headers.get(header)]

    with suppress(HTTPException):  # a form that is too large is not read
        sent.append(request.form.get(field))

    return csrf_token() not in sent


def _session_key() -> str | None:
    """The key under which the session holds the token as it is."""

    token = csrf_token()

    # Who looks into the session makes the page one that caches keep for one person.
    if not token or not has_request_context() or token in request.cookies.values():
        return None

    return next((str(key) for key, value in session.items() if value == token), None)


def _find() -> Any:
    """What templates know as ``csrf_token``: a function, or the token itself."""

    found = current_app.jinja_env.globals.get(NAME)

    return _find_in_context() if found is None else found


def _find_in_context() -> Any:
    """The same of a context processor; they are asked once in a request."""

    if not has_request_context():
        return None

    values = request_values()

    if NAME not in values:
        processors: list[Callable[[], Any]] = [*current_app.template_context_processors[None]]
        found = (processor().get(NAME) for processor in processors)
        values[NAME] = next((value for value in found if value is not None), None)

    return values[NAME]
