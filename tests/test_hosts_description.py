"""What the matrix compares of a site, with the chat and without it, shows every change."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from flask import Flask, got_request_exception
from flask.json.provider import DefaultJSONProvider
from jinja2 import StrictUndefined
from werkzeug.routing import BaseConverter

from tests.hosts.description import describe


def _listen(sender: Flask, **_: object) -> None:
    pass


_listen.__module__ = "an.extension"


class OtherJSON(DefaultJSONProvider):
    """An extension's."""


CHANGES: dict[str, Callable[[Flask], object]] = {
    "trim_blocks": lambda app: setattr(app.jinja_env, "trim_blocks", True),
    "autoescape": lambda app: setattr(app.jinja_env, "autoescape", False),
    "undefined": lambda app: setattr(app.jinja_env, "undefined", StrictUndefined),
    "delimiters": lambda app: setattr(app.jinja_env, "variable_start_string", "[["),
    "jinja extension": lambda app: app.jinja_env.add_extension("jinja2.ext.do"),
    "filter": lambda app: app.jinja_env.filters.update(upper=str.lower),
    "jinja test": lambda app: app.jinja_env.tests.update(odd=bool),
    "jinja global": lambda app: app.jinja_env.globals.update(range=list),
    "policy": lambda app: app.jinja_env.policies.update({"urlize.rel": "none"}),
    "strict_slashes": lambda app: setattr(app.url_map, "strict_slashes", False),
    "merge_slashes": lambda app: setattr(app.url_map, "merge_slashes", False),
    "host_matching": lambda app: setattr(app.url_map, "host_matching", True),
    "converter": lambda app: app.url_map.converters.update(int=BaseConverter),
    "view": lambda app: app.view_functions.update(index=dict),
    "receiver": lambda app: got_request_exception.connect(_listen, sender=app),
    "logger's level": lambda app: app.logger.setLevel(logging.ERROR),
    "logger's handler": lambda app: app.logger.addHandler(logging.NullHandler()),
    "json provider": lambda app: setattr(app, "json", OtherJSON(app)),
    "json setting": lambda app: setattr(app.json, "sort_keys", False),
    "command": lambda app: app.cli.commands.pop("greet"),
    "config": lambda app: app.config.update(MAX_CONTENT_LENGTH=1),
    "before request": lambda app: app.before_request(dict),
    "error handler": lambda app: app.register_error_handler(404, str),
    "abort": lambda app: app.aborter.mapping.update({418: ValueError}),
}


@pytest.mark.parametrize("change", [pytest.param(f, id=name) for name, f in CHANGES.items()])
def test_a_change_shows(change: Callable[[Flask], object], request: pytest.FixtureRequest) -> None:
    app = Flask(request.node.name)  # and a logger of its own
    app.add_url_rule("/", "index", lambda: "")
    app.cli.command("greet")(lambda: None)
    before = describe(app)
    assert describe(app) == before

    change(app)

    assert describe(app) != before
