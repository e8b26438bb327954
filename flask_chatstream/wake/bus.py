"""What carries hints: PostgreSQL's own notifications, or Redis."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from sqlalchemy import Engine

from flask_chatstream.errors import ConfigurationError

#: The channel's name; hints of all chats on one database go through it.
CHANNEL = "chatstream"


class Sender(Protocol):
    """A connection to send by; any exception means that it is lost."""

    def send(self, text: str) -> None:
        """Give a text to every listener, this process's own included."""

    def close(self) -> None:
        """Let the connection go."""


class Listener(Protocol):
    """A connection to listen by; any exception means that it is lost."""

    def receive(self, seconds: float) -> list[str]:
        """Wait that long at most for what comes; nothing is no error."""

    def close(self) -> None:
        """Let the connection go."""


class Bus(Protocol):
    """A way from every process of a site to every other."""

    #: As ``CHATSTREAM_WAKE`` calls it.
    name: str

    def open_sender(self) -> Sender:
        """Connect for sending; raises what the driver raises."""

    def open_listener(self) -> Listener:
        """Connect and listen; raises what the driver raises."""


def find_bus(wake: str, redis_url: str | None, engine: Engine) -> Bus | None:
    """The bus that ``CHATSTREAM_WAKE`` names, or the best one there is; None to poll only.

    ``"auto"`` takes Redis where ``CHATSTREAM_REDIS_URL`` is set, and PostgreSQL under psycopg 3,
    which waits cooperatively. Raises `ConfigurationError` for what cannot be had.
    """

    if wake == "redis" or (wake == "auto" and redis_url):
        return _redis(redis_url)

    if wake == "postgres" or (wake == "auto" and _is_psycopg(engine)):
        return _postgres(engine)

    return None


def _is_psycopg(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg"


def _postgres(engine: Engine) -> Bus:
    if not _is_psycopg(engine):
        raise ConfigurationError(
            "CHATSTREAM_WAKE is 'postgres', which needs a database postgresql+psycopg://"
        )

    from .postgres import PostgresBus

    return PostgresBus(engine)


def _redis(url: str | None) -> Bus:
    if not url:
        raise ConfigurationError("CHATSTREAM_WAKE is 'redis', which needs CHATSTREAM_REDIS_URL.")

    if find_spec("redis") is None:
        raise ConfigurationError(
            "CHATSTREAM_REDIS_URL needs a package: pip install 'flask_chatstream[redis]'"
        )

    from .redis import RedisBus

    return RedisBus(url)
