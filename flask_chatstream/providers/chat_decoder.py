"""The bytes of a chat completions stream, cut anywhere, into events. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flask_chatstream.cleaning import Cleaner, clean
from flask_chatstream.errors import ProviderError
from flask_chatstream.events import (
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)
from flask_chatstream.sse import Decoder, ServerSentEvent

from .chat_chunks import FINISH_REASONS, Choice, Delta, ToolDelta, decode_chunk, decode_usage
from .chat_errors import error_from_body

#: How much of a body is kept to see what it is when it is no stream.
_MAX_DOCUMENT = 1_000_000


class ChatDecoder:
    """Feed it the body until ``over``, then take the rest from ``close``::

        for data in body:
            yield from decoder.feed(data)
            if decoder.over:
                break
        yield from decoder.close()

    A failure in the stream is raised by ``close``, after the events before it were given out.
    ``secrets`` are taken out of what a failure says.
    """

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets
        self._sse = Decoder()
        self._start: bytes | None = b""
        self._done = False
        self._failure: ProviderError | None = None
        self._text = Cleaner()
        self._reasoning = Cleaner()
        self._tools: dict[int, _Tool] = {}
        self._reason: FinishReason | None = None
        self._refused = False
        self._usage: Usage | None = None
        self._model: str | None = None
        self.started = False

    @property
    def over(self) -> bool:
        """Whether nothing more is to be read: ``[DONE]`` or a failure came."""

        return self._done or self._failure is not None

    @property
    def finished(self) -> bool:
        """Whether the model has ended its answer; usage may follow."""

        return self._reason is not None

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""

        events: list[Event] = []
        try:
            if self._start is not None:
                data = self._past_the_start(data)

            for event in self._sse.feed(data):
                if self._done:
                    break
                self._read(event, events)
        except ProviderError as failure:
            self._failure = failure

        return events

    def close(self) -> Iterator[Event]:
        """The last events, `Finished` at their end.

        Raises the `ProviderError` that came in the stream, and ``incomplete`` when the model's
        own finish is missing, whatever else was said (F24).
        """

        if not self.over:
            yield from self._unterminated()

        if self._failure is not None:
            raise self._failure

        if self._reason is None:
            raise ProviderError("incomplete", "the stream had no finish", retryable=True)

        yield from self._held_back()
        yield from self._tool_calls()

        if self._usage is not None:
            yield self._usage

        refused = self._refused and self._reason == "stop"
        yield Finished("refusal" if refused else self._reason, self._model)

    def _past_the_start(self, data: bytes) -> bytes:
        """Nothing until the first byte shows that this is a stream; HTML and JSON are none."""

        start = (self._start or b"") + data
        first = start.lstrip()[:1]

        if first == b"<" or (len(start) > _MAX_DOCUMENT and first in b"{["):
            raise ProviderError("malformed", "a document instead of a stream")

        if first in b"{[":  # the empty string too
            self._start = start
            return b""

        self._start = None

        return start

    def _unterminated(self) -> Iterator[Event]:
        """A last event without its blank line; a cut one is no JSON and is left out."""

        events: list[Event] = []
        try:
            if self._start and self._start.strip():
                raise _document_error(self._start, self._secrets)

            for event in self._sse.close():
                self._read(event, events)
        except ProviderError as failure:
            if failure.code != "malformed" or self._start:
                self._failure = failure

        yield from events

    def _read(self, event: ServerSentEvent, events: list[Event]) -> None:
        data = event.data

        if event.event == "error":
            raise error_from_body(data, self._secrets)

        if not data:
            return

        if data.startswith("[DONE]"):
            self._done = True
            return

        chunk = decode_chunk(data)
        if chunk.error:
            raise error_from_body(chunk.error, self._secrets)

        if chunk.model:
            self._model = clean(chunk.model)

        if chunk.usage is not None:
            self._usage = decode_usage(chunk.usage) or self._usage

        for choice in chunk.choices or ():
            if not choice.index:
                self._read_choice(choice, events)

    def _read_choice(self, choice: Choice, events: list[Event]) -> None:
        if choice.delta is not None:
            self._read_delta(choice.delta, events)

        if choice.text:
            self._add_text(choice.text, events)

        if choice.usage is not None:
            self._usage = decode_usage(choice.usage) or self._usage

        reason = choice.finish_reason
        if reason == "error":
            raise ProviderError("provider", "the finish reason is error", retryable=True)

        if reason:
            self._reason = FINISH_REASONS.get(reason, "other")

    def _read_delta(self, delta: Delta, events: list[Event]) -> None:
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning:
            self._add_reasoning(reasoning, events)

        content = delta.content
        if isinstance(content, list):
            self._add_parts(content, events)
        elif content:
            self._add_text(content, events)

        if delta.refusal:
            self._refused = True
            self._add_text(delta.refusal, events)

        for tool in delta.tool_calls or ():
            self.started = True
            self._tools.setdefault(tool.index or 0, _Tool()).add(tool)

    def _add_text(self, text: str, events: list[Event]) -> None:
        text = self._text.feed(text)
        if text:
            self.started = True
            events.append(TextDelta(text))

    def _add_reasoning(self, text: object, events: list[Event]) -> None:
        text = self._reasoning.feed(text) if isinstance(text, str) else ""
        if text:
            self.started = True
            events.append(ReasoningDelta(text))

    def _add_parts(self, parts: list[Any], events: list[Event]) -> None:
        """Mistral's content: a list of text parts and of thinking parts that hold text parts."""

        for part in parts:
            if not isinstance(part, dict):
                continue

            for thought in part.get("thinking") or ():
                if isinstance(thought, dict):
                    self._add_reasoning(thought.get("text"), events)

            if isinstance(part.get("text"), str):
                self._add_text(part["text"], events)

    def _held_back(self) -> Iterator[Event]:
        if rest := self._reasoning.close():
            yield ReasoningDelta(rest)

        if rest := self._text.close():
            yield TextDelta(rest)

    def _tool_calls(self) -> Iterator[Event]:
        for _, tool in sorted(self._tools.items()):
            yield ToolCall(clean(tool.id), clean(tool.name), clean("".join(tool.arguments)))


@dataclass(slots=True)
class _Tool:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, delta: ToolDelta) -> None:
        self.id = self.id or delta.id or ""
        function = delta.function
        if function is None:
            return

        self.name = self.name or function.name or ""
        arguments = function.arguments
        if isinstance(arguments, str):
            self.arguments.append(arguments)
        elif arguments is not None:
            self.arguments.append(json.dumps(arguments))


def _document_error(start: bytes, secrets: tuple[str, ...]) -> ProviderError:
    try:
        body = json.loads(start)
    except (ValueError, RecursionError):
        body = None

    # Gemini's chat completions put the object into a list.
    first = body[0] if isinstance(body, list) and body else body
    if isinstance(first, dict) and first.get("error"):
        return error_from_body(first, secrets)

    return ProviderError("malformed", "a document instead of a stream")
