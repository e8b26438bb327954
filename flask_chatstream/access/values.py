"""What the chat remembers for the length of one request."""

from __future__ import annotations

from typing import Any

from flask import request


def request_values() -> dict[str, Any]:
    """What the chat remembers for the length of one request.

    Not ``flask.g``: an app context that the site keeps pushed outlives the request, and with it
    one person's chats would be shown to the next.
    """

    values: dict[str, Any] = request.environ.setdefault("flask_chatstream", {})

    return values
