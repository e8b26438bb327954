"""The chat's templates, compiled once for all apps of a test process.

Each test makes an app of its own, and to compile them anew is most of what its first page costs.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from flask_chatstream.views import templates


class CompiledTemplates(BytecodeCache):
    """What was compiled in this process, in memory."""

    def __init__(self) -> None:
        self._codes: dict[Any, CodeType | None] = {}

    def get_bucket(
        self, environment: Environment, name: str, filename: str | None, source: str
    ) -> Bucket:
        """The code, if there is any."""

        key: Any = (name, filename, source, *_from_site(environment))
        bucket = Bucket(environment, key, "")
        bucket.code = self._codes.get(key)

        return bucket

    def set_bucket(self, bucket: Bucket) -> None:
        """Keep what was compiled."""

        self._codes[bucket.key] = bucket.code


def _from_site(environment: Environment) -> tuple[object, ...]:
    """What the code follows from that is the site's: syntax and escaping are always our own."""

    functions = {**environment.filters, **environment.tests}

    return (
        getattr(environment, "newstyle_gettext", False),
        frozenset(environment.extensions),
        # Names, because a function of a site's would keep its app from going.
        frozenset((name, _named(function)) for name, function in functions.items()),
    )


def _named(function: Any) -> tuple[object, ...]:
    return tuple(getattr(function, part, None) for part in ("__module__", "__qualname__"))


def compile_once() -> None:
    """Have all apps that are made from now on share what was compiled."""

    templates._PLAIN.bytecode_cache = CompiledTemplates()
