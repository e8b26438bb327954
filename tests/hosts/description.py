"""Everything that an extension could change on a Flask app, in words that can be compared."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from blinker import Namespace
from click import Command, Group
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, inspect
from sqlalchemy.orm import Session
from werkzeug.local import LocalProxy
from werkzeug.routing import Rule


def describe(app: Flask) -> dict[str, Any]:
    """The app's hooks, handlers, classes, settings, Jinja, addresses, commands, signals, loggers.

    Two builds of one site give the same, so functions stand there by name.
    """

    jinja = app.jinja_env

    return {
        **{name: _scoped(getattr(app, name)) for name in _SCOPED},
        **{name: [_name(f) for f in getattr(app, name)] for name in _LISTS},
        "error handlers": _handlers(app),
        "classes": [_name(type(value)) for value in (app, app.session_interface)]
        + [_name(app.request_class), _name(app.response_class), _name(app.url_map_class)]
        + [_name(app.test_client_class or FlaskClient)],
        "attributes": _values(app),
        "config": dict(app.config),
        "json": {name: _plain(getattr(app.json, name)) for name in ["__class__", *_JSON]},
        "aborter": _names(app.aborter.mapping),
        "jinja options": dict(app.jinja_options),
        "jinja loader": type(app.jinja_loader),
        "jinja environment": _values(jinja),
        "jinja policies": _names(jinja.policies),
        "jinja extensions": set(jinja.extensions),
        "jinja filters": _names(jinja.filters),
        "jinja tests": _names(jinja.tests),
        "jinja globals": _names(jinja.globals),
        "map": {**_values(app.url_map), "merge_slashes": app.url_map.merge_slashes},
        "rules": {(rule.rule, rule.endpoint): _rule(rule) for rule in app.url_map.iter_rules()},
        "views": _names(app.view_functions),
        "converters": _names(app.url_map.converters),
        "commands": dict(_commands(app.cli)),
        "extensions": {name: _name(type(v)) for name, v in app.extensions.items()},
        "blueprints": set(app.blueprints),
        "signals": set(_receivers(app)),
        "loggers": {name: _logger(name) for name in [app.logger.name, *_LOGGERS]},
        "wsgi": _name(app.wsgi_app),
    }


_SCOPED = (
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "url_value_preprocessors",
    "url_default_functions",
    "template_context_processors",
)
_LISTS = ("teardown_appcontext_funcs", "shell_context_processors", "url_build_error_handlers")
_JSON = ("compact", "default", "dumps", "ensure_ascii", "loads", "mimetype", "sort_keys")
_LOGGERS = (
    "",
    "alembic",
    "flask",
    "sqlalchemy",
    "sqlalchemy.engine",
    "sqlalchemy.pool",
    "werkzeug",
)


def _scoped(table: Mapping[str | None, list[Callable[..., Any]]]) -> dict[str | None, list[str]]:
    return {scope: [_name(f) for f in found] for scope, found in table.items() if found}


def _handlers(app: Flask) -> dict[tuple[str | None, int | None, str], str]:
    return {
        (scope, code, error.__name__): _name(handler)
        for scope, by_code in app.error_handler_spec.items()
        for code, handlers in by_code.items()
        for error, handler in handlers.items()
    }


def _rule(rule: Rule) -> list[Any]:
    wanted = (rule.host, rule.subdomain, rule.defaults, rule.strict_slashes, rule.websocket)

    return [sorted(rule.methods or ()), *wanted]


def _commands(group: Group) -> Iterator[tuple[str, Any]]:
    yield "options of the group", [option.name for option in group.params]

    for name, command in group.commands.items():
        yield name, dict(_commands(command)) if isinstance(command, Group) else _command(command)


def _command(command: Command) -> list[Any]:
    return [_plain(command.callback), [option.name for option in command.params]]


def _receivers(app: Flask) -> Iterator[tuple[str, str]]:
    """Who would be called for this app; other tests' own receivers may still be about."""

    for module in list(sys.modules.values()):
        if module.__name__.startswith(("blinker", "flask.", "flask_")):
            for found in vars(module).values():
                if issubclass(type(found), Namespace):  # proxies answer for others
                    yield from _receivers_in(found, app)


def _receivers_in(namespace: Namespace, app: Flask) -> Iterator[tuple[str, str]]:
    for signal in list(namespace.values()):
        for receiver in signal.receivers_for(app):
            if not _name(receiver).startswith("tests."):
                yield signal.name, _name(receiver)


def _logger(name: str) -> list[Any]:
    logger = logging.getLogger(name)
    handlers = [(type(handler), handler.level) for handler in logger.handlers]

    return [logger.level, logger.propagate, logger.disabled, handlers, list(logger.filters)]


def _values(thing: object) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(thing).items() if name not in _FLEETING}


#: Made, or made anew, when they are first wanted.
_FLEETING = {"_got_first_request", "_remap", "jinja_env", "jinja_loader", "logger"}


def _names(table: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: _plain(value) for key, value in table.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | tuple):
        return value

    if type(value) is not LocalProxy and callable(value):
        return _name(value)

    return _name(type(value))


def _name(function: Any) -> str:
    module = getattr(function, "__module__", "builtins")

    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def listeners(engine: Engine, session: Session, row: object) -> dict[str, int]:
    """How many listeners each event of an engine, a session and a row's mapper has."""

    targets = {
        "engine": engine.dispatch,
        "pool": engine.pool.dispatch,
        "session": session.dispatch,
        "mapper": inspect(type(row)).dispatch,
    }

    return {
        f"{kind}.{name}": len(list(getattr(dispatch, name)))
        for kind, dispatch in targets.items()
        for name in dispatch._event_names
    }
