"""One answer's life in the background: claim, read the provider, append, end.

    claim ─▶ provider.stream ─▶ TextDelta ─▶ Stream.append ─▶ … ─▶ Finished ─▶ flush ─▶ end

This is the one place where a broad ``except`` stands: whatever ends a generation, its row learns
it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from flask_chatstream.cleaning import Cleaner, clean
from flask_chatstream.conversations.history import read_history
from flask_chatstream.errors import ProviderError, StorageUnavailable
from flask_chatstream.events import (
    Event,
    Finished,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from flask_chatstream.providers import Cancelled, ChatMessage, ChatRequest, Provider
from flask_chatstream.storage import now

from .assignment import Assignment, find_assignment
from .claims import claim
from .ends import Outcome
from .journal import Fenced, StorageLost
from .runtime import Running, Runtime
from .sweep import INTERRUPTED

logger = logging.getLogger(__name__)

STORAGE = Outcome("error", error_code="storage")
INTERNAL = Outcome("error", error_code="internal")
#: Pauses between the attempts to read what is to be answered, in seconds.
PAUSES = (0.1, 0.5, 2.0)


@dataclass
class Answer:
    """What a provider has said so far, apart from the text itself."""

    finished: Finished | None = None
    usage: Usage | None = None
    reasoning: list[str] = field(default_factory=list)
    #: When the first text came, on this process's monotonic clock.
    first_token: float | None = None
    cleaner: Cleaner = field(default_factory=Cleaner)


class Desk(Protocol):
    """What a runner asks the site."""

    def get_provider(self, mount: str, name: str) -> Provider:
        """The provider of a name; raises `ProviderError`."""

    def instructions(self, assignment: Assignment, question: str) -> str | None:
        """The system prompt for a question, the site's context included."""


class Runner:
    """Writes the answers of one app, wherever they run."""

    def __init__(self, runtime: Runtime, desk: Desk):
        self._runtime = runtime
        self._desk = desk

    def run(self, generation_id: int) -> None:
        """Run a queued generation to its end. Leaves without a word when it is not to be had.

        Raises `StorageUnavailable` when it could not be claimed: it is still to be run.
        """

        claimed = self._runtime.database.write(
            claim, generation_id, self._runtime.worker, self._runtime.settings.lease_seconds
        )

        if claimed is None:
            return

        running = self._runtime.open(claimed)

        try:
            self._run(running)
        finally:
            self._runtime.leave(running)

    def _run(self, running: Running) -> None:
        answer = Answer()

        try:
            outcome = self._answer(running, answer)
        except (Fenced, Cancelled):
            # A provider says Cancelled whoever closed it.
            if running.stream.failure is StorageLost:
                outcome = STORAGE
            elif running.is_interrupted and running.stream.failure is None:
                outcome = INTERRUPTED
            elif running.cancellation.cancelled:
                return
            else:
                outcome = INTERNAL
        except (StorageLost, StorageUnavailable):
            outcome = STORAGE
        except ProviderError as error:
            id = running.claimed.generation_id
            logger.warning("Generation %d: %s: %s", id, error.code, error)
            outcome = Outcome("error", error_code=error.code)
        except BaseException as error:
            logger.exception("Generation %d failed.", running.claimed.generation_id)
            outcome = INTERNAL

            if not isinstance(error, Exception):
                self._end(running, answer, outcome)
                raise

        self._end(running, answer, outcome)

    def _answer(self, running: Running, answer: Answer) -> Outcome:
        provider, request = self._prepare_patiently(running)
        feed = answer.cleaner.feed

        with _closing(provider.stream(request, running.cancellation)) as events:
            for event in events:
                running.move()

                if type(event) is TextDelta:
                    self._take(running, answer, feed(event.text))
                else:
                    _note(answer, event)

        running.cancellation.raise_if_cancelled()
        self._take(running, answer, answer.cleaner.close())

        return self._completed(running, answer)

    def _take(self, running: Running, answer: Answer, text: str) -> None:
        if not text:
            return

        if answer.first_token is None:
            answer.first_token = time.monotonic()

        stream = running.stream
        room = self._runtime.settings.max_answer_chars - stream.appended

        if len(text) <= room:
            stream.append(text)
            return

        if room > 0:
            stream.append(text[:room])

        raise ProviderError("limit")

    def _completed(self, running: Running, answer: Answer) -> Outcome:
        if answer.finished is None:
            raise ProviderError("incomplete")

        reason = answer.finished.reason
        is_empty = running.stream.appended == 0

        if is_empty:
            raise ProviderError("content_filter" if reason == "content_filter" else "empty")

        return Outcome("completed", finish_reason=reason)

    def _prepare_patiently(self, running: Running) -> tuple[Provider, ChatRequest]:
        for pause in PAUSES:
            try:
                return self._prepare(running)
            except StorageUnavailable:
                running.cancellation.wait(pause)
                running.cancellation.raise_if_cancelled()

        return self._prepare(running)

    def _prepare(self, running: Running) -> tuple[Provider, ChatRequest]:
        database = self._runtime.database

        with database.read() as session:
            wanted = find_assignment(session, running.claimed.generation_id)

            if wanted is None:
                raise Fenced

            budget = wanted.context_window or self._runtime.settings.context_tokens
            history = read_history(session, wanted.message_id, budget)

        question = history[-1].content if history else ""
        request = ChatRequest(
            messages=tuple(ChatMessage(cast(Any, role), content) for role, content in history),
            model=wanted.model or "",
            temperature=wanted.temperature,
            instructions=self._desk.instructions(wanted, question),
            request_id=wanted.request_id or "",
        )

        provider = self._desk.get_provider(wanted.mount, wanted.provider or "demo")

        return provider, request

    def _end(self, running: Running, answer: Answer, outcome: Outcome) -> None:
        try:
            running.stream.flush()
        except StorageLost:
            outcome = STORAGE
        except Fenced:
            return

        try:
            values = {**_values(answer), "viewers": running.topic.most_viewers}
            values["first_token_at"] = self._first_token_at(answer)
            self._runtime.end(running, replace(outcome, values=values))
        except Exception:
            logger.exception("The end of generation %d was refused.", running.claimed.generation_id)
            self._runtime.end(running, INTERNAL)

    def _first_token_at(self, answer: Answer) -> datetime | None:
        """By the database's clock, which is not asked before the first text is shown."""

        if answer.first_token is None:
            return None

        ago = timedelta(seconds=time.monotonic() - answer.first_token)

        with suppress(StorageUnavailable), self._runtime.database.read() as session:
            return now(session) - ago

        return None


def _closing(events: Iterator[Event]) -> AbstractContextManager[Iterator[Event]]:
    return closing(cast(Any, events)) if hasattr(events, "close") else nullcontext(events)


def _note(answer: Answer, event: Event) -> None:
    if isinstance(event, Finished):
        answer.finished = event
    elif isinstance(event, Usage):
        answer.usage = event
    elif isinstance(event, ReasoningDelta):
        answer.reasoning.append(event.text)


def _values(answer: Answer) -> dict[str, Any]:
    values: dict[str, Any] = {"attempts": 1}

    if answer.usage is not None:
        values["input_tokens"] = answer.usage.input_tokens
        values["output_tokens"] = answer.usage.output_tokens
        values["usage"] = asdict(answer.usage)

    if answer.finished is not None and answer.finished.model:
        values["model"] = clean(answer.finished.model)[:128]

    if answer.reasoning:
        values["reasoning"] = clean("".join(answer.reasoning))

    return values
