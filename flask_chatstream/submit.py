"""Storing what is asked and having it answered: one way for pages, the API and host code."""

from __future__ import annotations

from dataclasses import replace

from . import signals
from .conversations import Ask, Asked, ask
from .state import State


def submit(state: State, wanted: Ask, request_id: str | None = None) -> Asked:
    """Store what is asked and start its answer; the same key again answers with the same ids.

    Raises `NotFound`, `Conflict`, `ShuttingDown` and `StorageUnavailable`, with nothing stored.
    """

    runtime = state.runtime

    if wanted.answer:
        runtime.admit()
        choice = state.routing(wanted.mount).choose(wanted.model)
        wanted = replace(
            wanted,
            provider=choice.provider,
            default_model=choice.model,
            placement=state.place.placement,
            request_id=request_id,
        )

    if wanted.conversation_id is not None:
        runtime.settle(wanted.conversation_id)

    asked = ask(state.database, wanted)

    if not asked.replayed:
        _tell(state, wanted, asked)
        runtime.follow.changed(asked.conversation_id, asked.version)

    if asked.generation_id is not None and asked.status == "generating":
        state.place.start(asked.generation_id, wanted.mount)

    return asked


def _tell(state: State, wanted: Ask, asked: Asked) -> None:
    ids = {"conversation_id": asked.conversation_id, "owner": wanted.owner}

    if wanted.conversation_id is None:
        state.announcer.send(signals.conversation_created, **ids)

    for turn in wanted.turns:
        state.announcer.send(signals.message_created, message_id=turn.id, role=turn.role, **ids)

    if asked.generation_id is not None:
        state.announcer.send(
            signals.generation_started,
            conversation_id=asked.conversation_id,
            message_id=asked.message_id,
            generation_id=asked.generation_id,
        )
