"""Values in the prefix under which a site has put the chat: ``/<lang>/help``, ``<firm>.site.org``.

They are the site's. Our views do not take them, and every URL that we make from such a page has
them again.
"""

from __future__ import annotations

from typing import Any

from flask import current_app, has_request_context, request

from flask_chatstream.access import request_values

_OURS = {"conversation_id", "filename", "message_id", "path"}


def take_values(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Keep what the site has not taken out of the values itself; a ``url_value_preprocessor``."""

    if values is None:
        return

    theirs = values.keys() - _OURS
    request_values()["prefix"] = {name: values.pop(name) for name in theirs}


def give_values(endpoint: str, values: dict[str, Any]) -> None:
    """Put it into a URL of ours; for ``url_defaults``.

    On a page of the site's own it comes from that page's address.
    """

    if not has_request_context():
        return

    found = {**(request.view_args or {}), **request_values().get("prefix", {})}

    for name, value in found.items():
        if name not in _OURS and current_app.url_map.is_endpoint_expecting(endpoint, name):
            values.setdefault(name, value)
