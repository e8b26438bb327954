"""What a worker says of itself, which can be seen from within a request only.

No secret, address or path is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import astuple
from importlib.metadata import version
from typing import Any

import msgspec

from flask_chatstream.concurrency import is_patched
from flask_chatstream.following import most_streams
from flask_chatstream.generation.server import NOTHING, get_server
from flask_chatstream.state import State
from flask_chatstream.storage import find_blocking
from flask_chatstream.storage.engine import is_temporary
from flask_chatstream.wake import find_bus

from .permit import Keys


class Facts(msgspec.Struct, frozen=True):
    """One worker, as it was when it answered."""

    #: Of the package.
    version: str
    #: Tells this process from others.
    worker: str
    #: The same for two processes with the same settings and database.
    fingerprint: str
    #: What the server calls itself.
    server: str
    #: What answers run in.
    runner: str
    is_patched: bool
    multithread: bool
    multiprocess: bool
    #: How many requests may stream at once; None for any number.
    seats: int | None
    #: How many do.
    taken: int
    #: Whether the server tells when it is being stopped.
    has_hooks: bool
    #: Why the database's driver blocks the event loop, if it does.
    blocking: str | None
    #: Whether the background work has begun.
    is_kept_up: bool
    #: Whether wake-ups arrive; None where there are none, or the background work has not begun.
    is_woken: bool | None
    #: The chat's address, as the app takes it to be.
    url: str
    #: By the worker's clock, in seconds since 1970.
    now: float


def gather(state: State, keys: Keys, environ: Mapping[str, Any], url: str) -> Facts:
    """The facts of this process; ``environ`` is a request's, ``url`` the chat's address in it."""

    runtime = state.runtime

    return Facts(
        version=version("flask_chatstream"),
        worker=hashlib.sha256(runtime.worker.encode()).hexdigest()[:12],
        fingerprint=fingerprint(state, keys),
        server=str(environ.get("SERVER_SOFTWARE") or ("uWSGI" if _is_uwsgi(environ) else "")),
        runner=state.place.placement.runner or "",
        is_patched=is_patched(),
        multithread=bool(environ.get("wsgi.multithread")),
        multiprocess=bool(environ.get("wsgi.multiprocess")),
        seats=_seats(state, environ),
        taken=runtime.seats.taken,
        has_hooks=get_server() is not NOTHING,
        blocking=find_blocking(state.database.engine),
        is_kept_up=runtime.upkeep.is_running,
        is_woken=_is_woken(state),
        url=url,
        now=time.time(),
    )


def encode_facts(facts: Facts) -> str:
    """The facts on the wire."""

    return msgspec.json.encode(facts).decode()


def decode_facts(data: str) -> Facts | None:
    """The facts from the wire; None for another release's, which are others."""

    try:
        return msgspec.json.decode(data, type=Facts)
    except msgspec.MsgspecError:
        return None


def fingerprint(state: State, keys: Keys) -> str:
    """Tells settings apart without telling them; nobody without the key can try values."""

    engine = state.database.engine
    place = "" if is_temporary(engine) else engine.url.render_as_string(hide_password=False)
    known = repr((astuple(state.settings), place)).encode()
    key = keys[-1]

    return hmac.new(key if isinstance(key, bytes) else key.encode(), known, "sha256").hexdigest()


def _is_woken(state: State) -> bool | None:
    settings, runtime = state.settings, state.runtime
    has_bus = find_bus(settings.wake, settings.redis_url, state.database.engine) is not None

    return runtime.wake.is_trusted if has_bus and runtime.upkeep.is_running else None


def _seats(state: State, environ: Mapping[str, Any]) -> int | None:
    own = most_streams(environ)
    limit = state.settings.max_streams

    return own if limit is None or own == 0 else limit


def _is_uwsgi(environ: Mapping[str, Any]) -> bool:
    return "uwsgi.version" in environ
