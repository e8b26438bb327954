"""What a provider has said so far, gathered from its events."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from flask_chatstream.cleaning import Cleaner, clean
from flask_chatstream.events import Event, Finished, ReasoningDelta, Usage

from .overlap import Overlap


@dataclass
class Reply:
    """What a provider has said so far, apart from the text itself.

    ``overlap`` leaves out of the text what repeats the end of an answer that is continued.
    """

    finished: Finished | None = None
    usage: Usage | None = None
    reasoning: list[str] = field(default_factory=list, repr=False)
    #: When the first text came, on this process's monotonic clock.
    first_token: float | None = None
    overlap: Overlap | None = None
    _cleaner: Cleaner = field(default_factory=Cleaner, repr=False)

    def feed(self, text: str) -> str:
        """A piece of text as it can be stored, as far as that is certain."""

        if self.first_token is None:
            self.first_token = time.monotonic()

        text = self._cleaner.feed(text)

        return text if self.overlap is None else self.overlap.feed(text)

    def close(self) -> str:
        """What was held back, at the end of the text."""

        text = self._cleaner.close()

        return text if self.overlap is None else self.overlap.feed(text) + self.overlap.close()

    def note(self, event: Event) -> None:
        """Anything but text."""

        if isinstance(event, Finished):
            self.finished = event
        elif isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, ReasoningDelta):
            self.reasoning.append(event.text)

    def values(self) -> dict[str, Any]:
        """What the end of the generation stores of it."""

        values: dict[str, Any] = {"attempts": 1}

        if self.usage is not None:
            values["input_tokens"] = self.usage.input_tokens
            values["output_tokens"] = self.usage.output_tokens
            values["usage"] = asdict(self.usage)

        if self.finished is not None and self.finished.model:
            values["model"] = clean(self.finished.model)[:128]

        if self.reasoning:
            values["reasoning"] = clean("".join(self.reasoning))

        return values
