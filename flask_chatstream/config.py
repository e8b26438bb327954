"""The settings: read once from ``app.config["CHATSTREAM_*"]`` into a frozen `Settings`.

A wrong value is refused at start with the name of the key and what is allowed. Every value can be
written as JSON text, so that ``app.config.from_prefixed_env()`` sets them all.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_origin

from .errors import ConfigurationError

PREFIX = "CHATSTREAM_"


def _secret(default: str | None = None) -> Any:
    return field(default=default, repr=False)


@dataclass(frozen=True)
class Settings:
    """Every ``CHATSTREAM_*`` key with its default; times in seconds unless the name says else."""

    provider: str | None = None
    model: str | None = None
    instructions: str | None = None
    context_tokens: int = 32_000
    openai_api_key: str | None = _secret()
    openai_base_url: str | None = None

    title: str = "Chat"
    language: str = "auto"
    suggestions: list[str] | None = None
    anonymous: Literal["allowed", "sign_in", "hidden"] = "allowed"
    login_url: str | None = None
    claim_on_login: bool = False
    base_template: str = "chatstream/base.html"
    image_hosts: list[str] | None = None
    cors_origins: list[str] | None = None

    database_uri: str | None = _secret()
    database_bind: str | None = None
    auto_upgrade: bool | None = None
    durability: Literal["power", "process"] = "power"
    commit_window_ms: float = 0.0
    wake: Literal["auto", "database", "postgres", "redis"] = "auto"
    redis_url: str | None = _secret()

    runner: Literal["auto", "gevent", "thread", "celery"] = "auto"
    lease_seconds: float = 15.0
    sweep_seconds: float = 5.0
    queue_timeout: float = 60.0
    drain_seconds: float = 25.0
    max_streams: int | None = None
    abandon_seconds: float | None = None

    connect_timeout: float = 10.0
    first_token_timeout: float = 120.0
    idle_timeout: float = 60.0
    total_timeout: float = 900.0

    max_message_chars: int = 32_000
    max_answer_chars: int = 1_000_000


_POSITIVE = {
    "context_tokens",
    "lease_seconds",
    "sweep_seconds",
    "queue_timeout",
    "connect_timeout",
    "first_token_timeout",
    "idle_timeout",
    "total_timeout",
    "max_message_chars",
    "max_answer_chars",
}
_TAG = re.compile(r"auto|[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_NOT_NEGATIVE = {"commit_window_ms", "drain_seconds", "max_streams"}
#: A viewer whose connection was lost is back within that: its longest pause is 15 s, and that it
#: watches is stored a third of the setting late at most.
_LEAST = {"abandon_seconds": 60}


def load_settings(config: Mapping[str, Any]) -> Settings:
    """The settings of an app's configuration.

    Raises `ConfigurationError` for an unknown ``CHATSTREAM_*`` key and for a value of the wrong
    type or out of its range.
    """

    known = {f.name: f for f in fields(Settings)}
    hints = typing.get_type_hints(Settings)
    given = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    values = {}

    for key, value in given.items():
        name = key.removeprefix(PREFIX).lower()

        if name not in known:
            raise ConfigurationError(f"{key} is not a setting of flask_chatstream.{_nearest(name)}")

        values[name] = _check(key, name, value, hints[name])

    return Settings(**values)


def _nearest(name: str) -> str:
    import difflib

    found = difflib.get_close_matches(name, [f.name for f in fields(Settings)], n=1)

    return f" Did you mean {PREFIX}{found[0].upper()}?" if found else ""


def _check(key: str, name: str, value: Any, hint: Any) -> Any:
    if value is None and _optional(hint):
        return None

    kind = _kind(hint)
    value = _coerced(value, kind)

    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if value not in allowed:
            raise ConfigurationError(
                f"{key} is {value!r}; allowed are {', '.join(map(repr, allowed))}."
            )
        return value

    plain = get_origin(kind) or kind
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        raise ConfigurationError(f"{key} must be of type {plain.__name__}.")

    if name == "language" and not _TAG.fullmatch(value):
        raise ConfigurationError(
            f"{key} is {value!r}; allowed are 'auto' and tags such as 'de-CH'."
        )

    return _in_range(key, name, value)


def _in_range(key: str, name: str, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{key} must be a finite number.")

    if name in _POSITIVE and value <= 0:
        raise ConfigurationError(f"{key} must be greater than 0.")

    if name in _NOT_NEGATIVE and value < 0:
        raise ConfigurationError(f"{key} must not be negative.")

    if value < _LEAST.get(name, value):
        raise ConfigurationError(f"{key} must be {_LEAST[name]} at least.")

    return value


def _optional(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _kind(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return next(arg for arg in get_args(hint) if arg is not type(None))

    return hint


def _coerced(value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)

    return list(value) if get_origin(kind) is list and isinstance(value, tuple) else value
