"""What a careful site has anyway, and the chat must live with: CSRF protection and a strict CSP."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFProtect

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)

csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Protect every form, and send the headers with every answer."""

    csrf.init_app(app)
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"

    if not (request.endpoint or "").endswith("static"):
        response.headers.setdefault("Cache-Control", "private, no-cache")

    return response
