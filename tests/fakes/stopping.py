"""Stopping an answer: the same scenario in threads and, in a process of its own, in greenlets.

``python -m tests.fakes.stopping`` patches everything, then runs one scenario per line of JSON.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stopped:
    """How an answer ended that was stopped; times by `time.monotonic`."""

    outcome: str = "running"
    events: int = 0
    cancelled_at: float = 0.0
    ended_at: float = 0.0
    begun: threading.Event = field(default_factory=threading.Event, repr=False)


def stop(
    base_url: str,
    prompt: str = "hi",
    *,
    transport: Any = "direct",
    cafile: str | None = None,
    after_events: int = 0,
    delay: float = 0.1,
) -> Stopped:
    """Ask, wait for so many events or for the delay, cancel, and see the answer end."""

    from flask_chatstream.providers import Cancellation, ChatMessage, ChatRequest
    from flask_chatstream.providers.openai_chat import OpenAIChat

    context = ssl.create_default_context(cafile=cafile) if cafile else None
    provider = OpenAIChat("key", base_url, transport=transport, ssl_context=context)
    request = ChatRequest((ChatMessage("user", prompt),), "fake")
    cancellation, result = Cancellation(), Stopped()

    def answer() -> None:
        try:
            for _ in provider.stream(request, cancellation):
                result.events += 1
                if result.events == after_events:
                    result.begun.set()
            result.outcome = "finished"
        except Exception as error:
            result.outcome = type(error).__name__
        finally:
            result.ended_at = time.monotonic()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    result.begun.wait(5 if after_events else delay)
    result.cancelled_at = time.monotonic()
    cancellation.cancel()
    thread.join(10)
    provider.close()

    return result


def main() -> None:
    """Run the scenarios that come in, one at a time, until there are no more."""

    for line in sys.stdin:
        result = stop(**json.loads(line))
        values = [result.outcome, result.events, result.cancelled_at, result.ended_at]
        print(json.dumps(values), flush=True)


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    main()
