"""Answers as JSON: the chat's own, whatever a site's provider makes of names and values."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response, current_app

_encode = msgspec.json.Encoder().encode


def json_reply(value: Any, status: int = 200) -> Response:
    """A response with a value as JSON, its names as they are."""

    return current_app.response_class(_encode(value), status, mimetype="application/json")
