"""One answer's life in the background: claim, read the provider, append, end.

    claim ─▶ provider.stream ─▶ TextDelta ─▶ Stream.append ─▶ … ─▶ Finished ─▶ flush ─▶ end

This is the one place where a broad ``except`` stands: whatever ends a generation, its row learns
it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from typing import Any, Protocol, cast

from sqlalchemy import Connection

from flask_chatstream.concurrency import KILLS
from flask_chatstream.conversations.history import Said, read_history
from flask_chatstream.errors import ProviderError, StorageUnavailable
from flask_chatstream.events import Event, TextDelta
from flask_chatstream.failures import name_ids, report
from flask_chatstream.lifecycle import (
    INTERRUPTED,
    Assignment,
    Claimed,
    Outcome,
    claim,
    find_assignment,
)
from flask_chatstream.providers import (
    Cancelled,
    ChatMessage,
    ChatRequest,
    Provider,
    turns_for_rest,
)

from .overlap import Overlap
from .reply import Reply
from .running import Running
from .runtime import Runtime
from .stream import Fenced, StorageLost

logger = logging.getLogger(__name__)

STORAGE = Outcome("error", error_code="storage")
INTERNAL = Outcome("error", error_code="internal")
#: Pauses between the attempts to read what is to be answered, in seconds.
PAUSES = (0.1, 0.5, 2.0)


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

        runtime, settings = self._runtime, self._runtime.settings
        taken = runtime.database.write(
            _take_up, generation_id, runtime.worker, settings.lease_seconds, settings.context_tokens
        )

        if taken is None:
            return

        claimed, wanted = taken
        running = runtime.open(claimed)

        try:
            self._run(running, wanted)
        finally:
            runtime.leave(running)

    def _run(self, running: Running, wanted: Assignment) -> None:
        reply, claimed = Reply(), running.claimed

        try:
            outcome = self._answer(running, reply, wanted)
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
            words = (claimed.generation_id, error.code, error)
            logger.warning("Generation %d: %s: %s", *words, extra=name_ids(**claimed.ids))
            outcome = Outcome("error", error_code=error.code)
        except BaseException as error:
            outcome = _broken_off(error, claimed)

            if not isinstance(error, Exception):
                self._end(running, reply, outcome)
                raise

        self._end(running, reply, outcome)

    def _answer(self, running: Running, reply: Reply, wanted: Assignment) -> Outcome:
        history: Sequence[Said] | None = wanted.history

        if history is None:
            history = self._read_patiently(running, wanted)

        provider, request = self._prepare(wanted, history)
        feed = reply.feed

        if request.prefix:
            reply.overlap = Overlap(request.prefix)

        with _closing(provider.stream(request, running.cancellation)) as events:
            for event in events:
                running.move()

                if type(event) is TextDelta:
                    self._take(running, feed(event.text))
                else:
                    reply.note(event)

        running.cancellation.raise_if_cancelled()
        self._take(running, reply.close())

        return self._completed(running, reply)

    def _take(self, running: Running, text: str) -> None:
        if not text:
            return

        stream = running.stream
        room = self._runtime.settings.max_answer_chars - stream.appended

        if len(text) <= room:
            stream.append(text)
            return

        if room > 0:
            stream.append(text[:room])

        raise ProviderError("limit")

    def _completed(self, running: Running, reply: Reply) -> Outcome:
        if reply.finished is None:
            raise ProviderError("incomplete")

        reason = reply.finished.reason
        is_empty = running.stream.appended == 0

        if is_empty:
            raise ProviderError("content_filter" if reason == "content_filter" else "empty")

        return Outcome("completed", finish_reason=reason)

    def _read_patiently(self, running: Running, wanted: Assignment) -> Sequence[Said]:
        """What is in front of an answer while one further up is being written."""

        for pause in PAUSES:
            try:
                return self._read_history(wanted)
            except StorageUnavailable:
                running.cancellation.wait(pause)
                running.cancellation.raise_if_cancelled()

        return self._read_history(wanted)

    def _read_history(self, wanted: Assignment) -> Sequence[Said]:
        budget = wanted.budget(self._runtime.settings.context_tokens)

        with self._runtime.database.read() as session:
            return read_history(session, wanted.message_id, budget)

    def _prepare(self, wanted: Assignment, history: Sequence[Said]) -> tuple[Provider, ChatRequest]:
        question = history[-1].content if history else ""
        messages = [ChatMessage(cast(Any, role), content) for role, content in history]
        request = ChatRequest(
            messages=(*messages, *turns_for_rest(wanted.prefix)),
            model=wanted.model or "",
            temperature=wanted.temperature,
            instructions=self._desk.instructions(wanted, question),
            request_id=wanted.request_id or "",
            prefix=wanted.prefix,
        )

        return self._desk.get_provider(wanted.mount, wanted.provider or "demo"), request

    def _end(self, running: Running, reply: Reply, outcome: Outcome) -> None:
        try:
            running.stream.flush()
        except StorageLost:
            outcome = STORAGE
        except Fenced:
            return

        try:
            values = {**reply.values(), "viewers": running.topic.most_viewers}
            outcome = replace(outcome, values=values, first_token=reply.first_token)
            self._runtime.end(running, outcome)
        except Exception as error:
            claimed = running.claimed
            words = "The end of generation %d was refused."
            report(logger, error, words, claimed.generation_id, **claimed.ids)
            self._runtime.end(running, INTERNAL)


def _take_up(
    connection: Connection, generation_id: int, worker: str, lease: float, context_tokens: int
) -> tuple[Claimed, Assignment] | None:
    """Claim a generation, and read what is to be done in the same transaction."""

    claimed = claim(connection, generation_id, worker, lease)

    if claimed is None:
        return None

    return claimed, find_assignment(connection, generation_id, context_tokens)


def _broken_off(error: BaseException, claimed: Claimed) -> Outcome:
    """The end of an answer that nobody expected; one that is killed goes with its process."""

    id, ids = claimed.generation_id, claimed.ids

    if isinstance(error, KILLS):
        words = "Generation %d was killed: %s."
        logger.warning(words, id, type(error).__name__, extra=name_ids(**ids))
        return INTERRUPTED

    report(logger, error, "Generation %d failed.", id, **ids)

    return INTERNAL


def _closing(events: Iterator[Event]) -> AbstractContextManager[Iterator[Event]]:
    return closing(cast(Any, events)) if hasattr(events, "close") else nullcontext(events)
