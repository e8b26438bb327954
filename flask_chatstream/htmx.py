"""What htmx says of a request, and what an answer tells it; htmx-flask reads and writes it."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from htmx_flask import make_response as _make_response
from htmx_flask.requests import HtmxHeaders


def htmx() -> HtmxHeaders:
    """The htmx headers of this request; false when htmx did not send it."""

    return HtmxHeaders(request.headers)


def make_response(*args: Any, **kwargs: Any) -> Response:
    """An answer with htmx's headers, as htmx-flask makes it."""

    response: Response = _make_response(*args, **kwargs)

    return response
