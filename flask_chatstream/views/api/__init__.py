"""The JSON API below ``/api/v1``; every answer and error is described in ``docs/http-api.md``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from flask_chatstream.views.replies import json_reply

from . import chat, doctor, progress, saved, unknown

__all__ = ["add_to"]

PREFIX = "/api/v1"


def healthz() -> ResponseReturnValue:
    """This process answers."""

    return {"status": "ok"}


_RULES = (
    ("POST", "/chat", "api_chat", chat.chat),
    ("GET", "/conversations", "api_conversations", saved.list_all),
    ("POST", "/conversations", "api_create", saved.create),
    ("GET", "/conversations/<conversation_id>", "api_conversation", saved.read),
    ("PATCH", "/conversations/<conversation_id>", "api_change", saved.change),
    ("DELETE", "/conversations/<conversation_id>", "api_delete", saved.remove),
    ("GET", "/conversations/<conversation_id>/messages", "api_messages", saved.messages),
    ("POST", "/conversations/<conversation_id>/messages", "api_add", chat.add_message),
    ("GET", "/conversations/<conversation_id>/status", "api_status", progress.status),
    ("GET", "/conversations/<conversation_id>/poll", "api_poll", progress.poll),
    ("GET", "/conversations/<conversation_id>/stream", "api_stream", progress.stream),
    ("GET", "/messages/<message_id>/content", "api_content", progress.content),
    ("POST", "/messages/<message_id>/cancel", "api_cancel", chat.cancel),
    ("POST", "/messages/<message_id>/regenerate", "api_regenerate", chat.regenerate),
    ("POST", "/messages/<message_id>/continue", "api_continue", chat.go_on),
    ("GET", "/doctor", "api_doctor", doctor.doctor),
    ("GET", "/healthz", "api_healthz", healthz),
)


def add_to(blueprint: Blueprint) -> None:
    """Give a blueprint the API's URLs, and an answer for all others below their prefix."""

    for method, rule, endpoint, view in _RULES:
        blueprint.add_url_rule(
            PREFIX + rule,
            endpoint,
            _in_json(view),
            methods=[method],
            provide_automatic_options=False,
        )

    for rule in ("/", "/<path:path>"):
        blueprint.add_url_rule(
            PREFIX + rule,
            "api_unknown",
            unknown.unknown,
            methods=unknown.METHODS,
            strict_slashes=False,
        )


def _in_json(view: Callable[..., Any]) -> Callable[..., ResponseReturnValue]:
    """The view, whose dict (and status) is written by us and not by the site's provider."""

    @wraps(view)
    def reply(**values: str) -> Any:
        result = view(**values)
        value, status = result if isinstance(result, tuple) else (result, 200)

        return json_reply(value, status) if isinstance(value, dict) else result

    return reply
