"""Whether a hint comes back over the way between the workers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import Engine

from flask_chatstream.config import Settings
from flask_chatstream.wake import Bus, find_bus
from flask_chatstream.wake.hints import decode_message, encode_proof
from flask_chatstream.wake.proof import PATIENCE

from .finding import Finding, failure, ok, warning
from .place import POOLED, is_pooled

POLLING = "Other workers' answers are looked for in the database alone, 4 to 20 times a second"
INSTEAD = (
    f"{POLLING}. Give the chat a direct way to the server with CHATSTREAM_DATABASE_URI, or take "
    "CHATSTREAM_WAKE=redis with CHATSTREAM_REDIS_URL, or =database to leave it at that."
)


def check_wakeups(settings: Settings, engine: Engine) -> Iterator[Finding]:
    """A round trip over what CHATSTREAM_WAKE names."""

    bus = find_bus(settings.wake, settings.redis_url, engine)

    if bus is None:
        yield ok(f"{POLLING}, which is all that CHATSTREAM_WAKE={settings.wake} finds here.")
        return

    # With "auto" the way was not asked for: the workers do without it.
    bad = warning if settings.wake == "auto" else failure

    try:
        took = send_round(bus)
    except Exception as error:  # whatever the driver raises
        yield bad(
            f"No connection for wake-ups by {bus.name}: {type(error).__name__}.",
            f"{POLLING}. Is the server running, and does it take more connections?",
        )
        return

    if took is not None:
        yield ok(f"A wake-up by {bus.name} comes back after {took * 1000:.1f} ms.")
    else:
        what = f"A wake-up by {bus.name} is sent and not delivered in {PATIENCE:.0f} s"
        yield bad(f"{what}{_why(engine)}.", INSTEAD)


def send_round(bus: Bus, patience: float = PATIENCE) -> float | None:
    """How long a message takes to come back, in seconds; None when it does not."""

    name = f"doctor-{os.urandom(8).hex()}"

    with closing(bus.open_listener()) as listener, closing(bus.open_sender()) as sender:
        began = time.monotonic()
        sender.send(encode_proof(name, 1))

        while (left := began + patience - time.monotonic()) > 0:
            for text in listener.receive(left):
                message = decode_message(text)

                if message is not None and message.sender == name:
                    return time.monotonic() - began

    return None


def _why(engine: Engine) -> str:
    if engine.dialect.name != "postgresql":
        return ""

    with engine.connect() as connection:
        if not is_pooled(connection):
            return ""

    return f": {POOLED}, which takes LISTEN and delivers nothing"
