"""A generation that this process writes, from its claim to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from flask_chatstream.config import Settings
from flask_chatstream.following import Live, Topic
from flask_chatstream.lifecycle import Claimed
from flask_chatstream.providers import Cancellation

from .stream import Stream


@dataclass(eq=False)
class Running:
    """A generation that this process writes."""

    claimed: Claimed
    live: Live
    cancellation: Cancellation
    stream: Stream
    topic: Topic
    #: When its provider last said something, on this process's monotonic clock.
    moved_at: float = field(default_factory=time.monotonic)
    has_begun: bool = False
    #: Broken off because this process is leaving; its runner says so at the end.
    is_interrupted: bool = False

    def move(self) -> None:
        """Its provider has said something."""

        self.moved_at = time.monotonic()
        self.has_begun = True

    def is_moving(self, settings: Settings) -> bool:
        """Whether it goes on, as far as the limits say that every provider must keep."""

        silence = settings.idle_timeout if self.has_begun else settings.first_token_timeout

        return time.monotonic() - self.moved_at < silence + settings.lease_seconds
