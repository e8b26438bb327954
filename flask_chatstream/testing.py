"""For a site's own tests: answers that the test writes down, and fixtures for pytest.

    pytest_plugins = ["flask_chatstream.testing"]      # in conftest.py, beside a fixture ``app``

    def test_opening_hours(client, chatstream_provider, chatstream_answers):
        chatstream_provider.enqueue("From nine to five.")
        client.post("/chat/c", data={"content": "When are you open?"})
        (answer,) = chatstream_answers()
        assert answer.text == "From nine to five."

Without pytest, `scripted` does the same for any test. (PYTEST_DONT_REWRITE: a conftest may have
imported this module before it names it as a plugin.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask
from sqlalchemy import select

from .answer import Answer
from .errors import ConfigurationError, NotFound
from .models import Generation, Message
from .providers.scripted import Pause, ScriptedProvider, Wait
from .signals import generation_started
from .state import State

__all__ = ["Pause", "ScriptedChat", "ScriptedProvider", "Wait", "scripted"]

#: How long a test waits for its answers, in seconds.
PATIENCE = 10.0


class ScriptedChat:
    """The chats of an app while `scripted` holds them; ``provider`` says what it is told."""

    def __init__(self, state: State):
        self.provider = ScriptedProvider()
        self._state = state
        self._started: list[int] = []

    def hear(self, app: Flask, *, generation_id: int, **ids: Any) -> None:
        """Note an answer that begins; a receiver of `generation_started`."""

        self._started.append(generation_id)

    def answers(self, timeout: float = PATIENCE) -> list[Answer]:
        """The answers asked for so far, oldest first, once all of them have ended.

        Whoever listens to signals has heard of it by then. Raises `TimeoutError` after ``timeout``
        seconds.
        """

        deadline = time.monotonic() + timeout
        found = [answer.wait(deadline - time.monotonic()) for answer in self._found()]

        while self._state.runtime.running():
            if time.monotonic() > deadline:
                raise TimeoutError("A receiver of a signal is still at work.")

            time.sleep(0.005)

        return found

    def stop(self) -> None:
        """Stop what is still being written, such as an answer before a `Pause`."""

        for answer in self._found():
            with suppress(NotFound):
                answer.stop()

    def _found(self) -> list[Answer]:
        if not self._started:
            return []

        wanted = (
            select(Generation, Message.parent_id)
            .join(Message, Message.id == Generation.message_id)
            .where(Generation.id.in_(self._started))
            .order_by(Generation.id)
        )

        with self._state.database.read() as session:
            rows = session.execute(wanted).all()

        return [self._answer(generation, question) for generation, question in rows]

    def _answer(self, generation: Generation, question: str | None) -> Answer:
        return Answer(
            generation.conversation_id,
            question or "",
            generation.message_id,
            generation.id,
            generation.owner,
            generation.mount,
            self._state,
        )


@contextmanager
def scripted(app: Flask) -> Iterator[ScriptedChat]:
    """Have a script answer in all chats of an app, whichever providers they name.

    At the end, answers that are still being written are stopped, and no thread and no connection
    of the chat is left. Raises `ConfigurationError` for an app without a chat.

        with scripted(app) as chat:
            chat.provider.enqueue("From nine to five.")
    """

    state: State | None = app.extensions.get("chatstream")

    if state is None:
        raise ConfigurationError("This app has no chat: register one before the test.")

    with app.app_context():
        state.ready()

    chat = ScriptedChat(state)
    state.substitute = chat.provider

    try:
        with generation_started.connected_to(chat.hear, sender=app):
            yield chat
    finally:
        chat.stop()
        state.close()
        state.substitute = None


try:
    import pytest
except ModuleNotFoundError:  # The site's tests are written with something else.
    pass
else:

    @pytest.fixture
    def scripted_chat(app: Flask) -> Iterator[ScriptedChat]:
        """The chats of ``app``, which answer by script during the test."""

        with scripted(app) as chat:
            yield chat

    @pytest.fixture
    def chatstream_provider(scripted_chat: ScriptedChat) -> ScriptedProvider:
        """What answers during the test: ``enqueue`` tells it what, ``requests`` is what it got."""

        return scripted_chat.provider

    @pytest.fixture
    def chatstream_answers(scripted_chat: ScriptedChat) -> Callable[..., list[Answer]]:
        """Waits until nothing is being written, and gives the answers of the test."""

        return scripted_chat.answers
