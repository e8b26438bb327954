"""Where the chat stands on a site, and who else does."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Collection, Iterator
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

logger = logging.getLogger(__name__)

_VALUE = re.compile(r"<[^>]*>")
#: Stands for any value: an id of ours, a number, a name.
_ANY = "0" * 32


class Addresses:
    """Looks once, at an app's first request, when all of its routes are there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_checked = False

    def check(self, app: Flask, names: Collection[str]) -> None:
        """Warn where a chat, under one of these names, and others have the same address."""

        if self._is_checked:
            return

        with self._lock:
            is_first, self._is_checked = not self._is_checked, True

        if is_first:
            _warn(app, names)


def _warn(app: Flask, names: Collection[str]) -> None:
    seen: set[str] = set()

    for name in names:
        seen.add(name)
        found = [_said(rule, hit) for rule, hit in find_collisions(app, name, seen)]

        if found:
            logger.warning(
                "Addresses of the chat %r are other pages' too, and one hides the other: %s. "
                "Give the chat a place of its own: "
                'app.register_blueprint(..., url_prefix="/assistant").',
                name,
                "; ".join(found),
            )


def _said(rule: Rule, hit: list[str]) -> str:
    return f"{rule.rule} ({rule.endpoint}) and {', '.join(hit)}"


def find_collisions(
    app: Flask, name: str, known: Collection[str] = ()
) -> Iterator[tuple[Rule, list[str]]]:
    """The rules of others that take addresses of a chat, each with the chat's own rules it hits.

    ``known`` are names whose rules are left out. A catch-all above the chat's prefix is no
    collision: any other rule goes before it.
    """

    ours = [rule for rule in app.url_map.iter_rules() if _blueprint(rule) == name]
    index = next(rule for rule in ours if rule.endpoint == f"{name}.index")
    prefix = index.rule.rstrip("/")

    for rule in app.url_map.iter_rules():
        if _blueprint(rule) in {name, *known} or not _is_below(rule, index, prefix):
            continue

        hit = _find_hits(app, rule, ours)

        if hit:
            yield rule, hit


def _blueprint(rule: Rule) -> str:
    endpoint: str = rule.endpoint

    return endpoint.rpartition(".")[0]


def _is_below(rule: Rule, index: Rule, prefix: str) -> bool:
    is_catch_all = not prefix and rule.rule.startswith("/<path:")
    is_here = (rule.subdomain, rule.host) == (index.subdomain, index.host)

    return is_here and not is_catch_all and rule.rule.startswith(f"{prefix}/")


def _find_hits(app: Flask, rule: Rule, ours: list[Rule]) -> list[str]:
    """Those of our rules whose addresses the rule would take, were it alone."""

    alone = Rule(rule.rule, endpoint="alone", methods=rule.methods)
    adapter = Map([alone], converters=_converters(app)).bind("localhost")
    hit = set()

    for own in ours:
        for method in (own.methods or set()) - {"OPTIONS"}:  # Flask answers it for everybody
            try:
                adapter.match(_VALUE.sub(_ANY, own.rule), method)
            except HTTPException:
                continue

            hit.add(own.rule)

    return sorted(hit)


def _converters(app: Flask) -> dict[str, Any]:
    """The app's converters, which only compare: a site's own may ask a database for the value."""

    as_it_is = {"to_python": lambda self, value: value}

    return {
        name: type(kind.__name__, (kind,), as_it_is)
        for name, kind in app.url_map.converters.items()
    }
