"""One process's side of the bus: it tells, it hears, and it knows whether to rely on that.

tell ──▶ gathered ──▶ sender ──▶ bus ──▶ listener ──▶ hear
                                  │
                 proof, every 15 s, must come back within 2 s
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakMethod

from flask_chatstream.concurrency import Tasks

from .bus import Bus, Listener, Sender
from .hints import Hint, decode_message, encode_hint, encode_proof
from .proof import Proof

logger = logging.getLogger(__name__)

#: Hints go out so far apart at least, in seconds; those of the time between go together.
GATHER = 0.005
#: How long a listener waits before it looks whether the process is leaving.
LISTEN_SECONDS = 0.5
#: Pauses between attempts to connect, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
CLOSE_SECONDS = 5.0

End = TypeVar("End", Sender, Listener)


class Wake:
    """Hints to and from the other processes of a site.

    ``hear`` is a method; it is called with what others tell, in a task of this object's own, and
    must not block. Its object is held weakly, and all ends when that is gone. Without a ``bus``
    nothing is told and nothing is heard.
    """

    def __init__(self, bus: Bus | None, hear: Callable[[Hint], object] | None = None):
        self._bus = bus
        self._hear = WeakMethod(hear) if hear is not None else lambda: None
        self._name = os.urandom(8).hex()
        self._proof = Proof()
        self._lock = threading.Lock()
        self._text: set[str] = set()
        self._changed: set[str] = set()
        self._revoked = False
        self._kick = threading.Event()
        self._closed = threading.Event()
        self._tasks = Tasks()
        self._is_started = False
        self._is_doubted = False

    @property
    def is_trusted(self) -> bool:
        """Whether hints arrive, as far as this process can tell."""

        return self._proof.holds()

    @property
    def is_by_database(self) -> bool:
        """Whether the database itself carries the hints."""

        return self._bus is not None and self._bus.name == "postgres"

    def start(self) -> None:
        """Connect in the background; said again, nothing."""

        with self._lock:
            if self._bus is None or self._is_started:
                return

            self._is_started = True

        self._tasks.spawn(self._keep, self._bus.open_listener, self._listen)
        self._tasks.spawn(self._keep, self._bus.open_sender, self._send)

    def close(self) -> None:
        """Tell and hear no more; waits a while for the connections to be gone."""

        self._closed.set()
        self._kick.set()
        self._tasks.join(CLOSE_SECONDS)

    def tell_text(self, conversations: Iterable[str]) -> None:
        """Text was committed there; never blocks."""

        if self._bus is not None:
            with self._lock:
                self._text.update(conversations)
            self._kick.set()

    def tell_changed(self, conversation_id: str) -> None:
        """Something else was committed there; never blocks."""

        if self._bus is not None:
            with self._lock:
                self._changed.add(conversation_id)
            self._kick.set()

    def tell_revoked(self) -> None:
        """Somebody's followers were sent away; never blocks."""

        self._revoked = True
        self._kick.set()

    def _keep(self, open: Callable[[], End], use: Callable[[End], None]) -> None:
        """Use a connection as long as it lasts, and then another."""

        pause = FIRST_PAUSE

        while not self._closed.is_set():
            try:
                end = open()
                pause = FIRST_PAUSE

                try:
                    use(end)
                finally:
                    with suppress(Exception):
                        end.close()
            except Exception as error:
                self._proof.fail()
                self._doubt(type(error).__name__)
                self._closed.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    def _doubt(self, reason: str) -> None:
        if self._bus is not None and not self._is_doubted:
            self._is_doubted = True
            logger.warning(
                "Wake-ups by %s do not arrive (%s): other workers' answers are looked for"
                " in the database alone.",
                self._bus.name,
                reason,
            )

    def _listen(self, listener: Listener) -> None:
        self._proof.restart()
        self._kick.set()

        while not self._closed.is_set():
            for text in listener.receive(LISTEN_SECONDS):
                self._take(text)

            if self._hear() is None:
                self._closed.set()
                self._kick.set()

    def _take(self, text: str) -> None:
        message = decode_message(text)

        if message is None:
            return

        if message.sender == self._name:
            self._proof.hear(message.proof)
            self._is_doubted = False
        elif not message.proof and (hear := self._hear()) is not None:
            hear(message.hint)

    def _send(self, sender: Sender) -> None:
        self._proof.restart()
        sent = 0.0

        while not self._closed.is_set():
            self._kick.wait(self._proof.due_in())

            if self._proof.due_in() <= 0:
                self._prove(sender)

            if self._kick.is_set():
                time.sleep(max(0.0, sent + GATHER - time.monotonic()))
                self._kick.clear()
                self._flush(sender)
                sent = time.monotonic()

        # The listener would wait for its next look to learn that all is over.
        with suppress(Exception):
            sender.send(encode_proof(self._name, self._proof.begin()))

    def _prove(self, sender: Sender) -> None:
        if self._proof.is_overdue():
            self._doubt("they are sent and not delivered")

        sender.send(encode_proof(self._name, self._proof.begin()))

    def _flush(self, sender: Sender) -> None:
        with self._lock:
            hint = Hint(frozenset(self._text), frozenset(self._changed), self._revoked)
            self._text, self._changed, self._revoked = set(), set(), False

        for text in encode_hint(self._name, hint):
            sender.send(text)
