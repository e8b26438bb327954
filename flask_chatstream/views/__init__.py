"""The URLs: parse, call, render. Thin on purpose; what is done lives in the rooms below.

`pages` and `acts` are for people, `events` is how a browser follows, `api` is the JSON API.
"""

from __future__ import annotations

from flask import Blueprint

from . import acts, api, events, pages
from .globals import add_globals
from .prefixes import give_values, take_values
from .refusals import REFUSED, refuse
from .visit import after_request, before_request

__all__ = ["add_globals", "add_to"]

_RULES = (
    ("GET", "/", "index", pages.index),
    ("GET", "/c/<conversation_id>", "conversation", pages.conversation),
    ("GET", "/c/<conversation_id>/older", "older", pages.older),
    ("GET", "/c/<conversation_id>/events", "events", events.events),
    ("GET", "/list", "list_conversations", pages.list_items),
    ("GET", "/token", "token", pages.token),
    ("POST", "/c", "start", acts.start),
    ("POST", "/c/<conversation_id>/messages", "ask", acts.ask),
    ("POST", "/c/<conversation_id>/delete", "delete", acts.delete),
    ("POST", "/m/<message_id>/cancel", "cancel", acts.cancel),
    ("POST", "/m/<message_id>/regenerate", "regenerate", acts.regenerate),
    ("POST", "/m/<message_id>/continue", "continue", acts.go_on),
)


def add_to(blueprint: Blueprint) -> None:
    """Give a blueprint its URLs and the handlers around them."""

    for method, rule, endpoint, view in _RULES:
        blueprint.add_url_rule(rule, endpoint, view, methods=[method])

    api.add_to(blueprint)
    blueprint.url_value_preprocessor(take_values)
    blueprint.url_defaults(give_values)
    blueprint.before_request(before_request)
    blueprint.after_request(after_request)

    for error in REFUSED:
        blueprint.register_error_handler(error, refuse)
