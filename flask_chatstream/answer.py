"""An answer in the hands of the site's own code: wait for it, read it as it comes, stop it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

from sqlalchemy.orm import Session

from .conversations import Ask, Branch, Reading, check_name, get_conversation, read_messages
from .errors import Conflict, NotFound
from .following import Live
from .generation import Watch, join
from .state import State
from .submit import submit

_ID = re.compile(r"[0-9a-f]{32}")
Status = Literal["generating", "completed", "error", "cancelled"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was asked for with `ChatStream.ask`: its ids, and a look at how it goes on.

    The ids never change. `status`, `text` and `error_code` are asked of the database each time,
    from any thread and without an app context; they raise `NotFound` once the conversation is
    deleted, and `StorageUnavailable`.

        answer = chatstream.ask("Summarise today's orders.", owner="user:1")
        report = answer.wait(timeout=60).text
    """

    conversation_id: str
    user_message_id: str
    message_id: str
    generation_id: int
    owner: str
    mount: str
    _state: State = field(repr=False, compare=False)

    @property
    def status(self) -> Status:
        """``generating``, then ``completed``, ``error`` or ``cancelled``.

        One that broke off is ``generating`` again while its owner has it continued.
        """

        return cast(Status, self._read().message.status)

    @property
    def text(self) -> str:
        """What is written so far, in Markdown; a failed answer keeps what it had."""

        return self._read().text

    @property
    def error_code(self) -> str | None:
        """Why the answer failed, one of the codes in the docs of the HTTP API; else None."""

        return self._read().message.error_code

    def wait(self, timeout: float | None = None) -> Answer:
        """The answer itself, once it has ended, well or badly: `status` tells.

        Raises `TimeoutError` after ``timeout`` seconds; the answer is written on all the same.
        """

        for _ in self.stream(timeout):
            pass

        return self

    def stream(self, timeout: float | None = None) -> Iterator[str]:
        """The text piece by piece while it is written, from its beginning to its end.

        Whoever stops reading stops nothing. Raises `TimeoutError` as `wait` does.
        """

        runtime = self._state.ready()
        watch = Watch(runtime, lifetime=timeout).follow(self.conversation_id)
        joined = join(runtime, self.conversation_id, self._branch)
        text = joined.last.text if joined.last else ""

        if text:
            yield text

        if joined.live is not None:
            with watch:
                watch.open()
                yield from _pieces(joined.live, len(text), watch)

    def stop(self) -> None:
        """Stop the answer and keep what is written; one that has ended stays as it is.

        Raises `StorageUnavailable` when that could not be recorded: then nothing has stopped.
        """

        self._state.runtime.cancel(self.owner, self.mount, self.message_id)

    def _read(self) -> Reading:
        reading = self._look()

        if reading.message.status == "generating":
            self._state.ready().settle(self.conversation_id)
            reading = self._look()

        return reading

    def _look(self) -> Reading:
        with self._state.database.read() as session:
            return self._branch(session).readings[0]

    def _branch(self, session: Session) -> Branch:
        conversation = get_conversation(session, self.owner, self.mount, self.conversation_id)
        readings = read_messages(session, [self.message_id])

        if not readings:
            raise NotFound

        return Branch(conversation, readings)


def _pieces(live: Live, position: int, watch: Watch) -> Iterator[str]:
    while True:
        change = live.mark()
        text = live.read(position)

        if text:
            yield text
            position += len(text)
        elif live.end is not None:
            return
        elif not change.wait(watch.left()):
            raise TimeoutError("The answer is still being written.")


def ask(state: State, wanted: Ask) -> Answer:
    """Store what is asked, have it answered, and give the answer to come.

    Raises what `submit` raises, `InvalidRequest` for a name that cannot be stored, and `Conflict`
    for a key that was used for something else.
    """

    _check(wanted)
    asked = submit(state, wanted)

    if asked.user_message_id is None or asked.message_id is None or asked.generation_id is None:
        raise Conflict("This key was used for a message without an answer.", code="key_reused")

    return Answer(
        asked.conversation_id,
        asked.user_message_id,
        asked.message_id,
        asked.generation_id,
        wanted.owner,
        wanted.mount,
        state,
    )


def _check(wanted: Ask) -> None:
    check_name("An owner", wanted.owner, 255)

    if wanted.model is not None:
        check_name("A model's name", wanted.model, 128)

    if wanted.title is not None:
        check_name("A title", wanted.title, 255)

    # What cannot be an id is not for a database: PostgreSQL fails on a NUL.
    if wanted.conversation_id is not None and not _ID.fullmatch(wanted.conversation_id):
        raise NotFound
