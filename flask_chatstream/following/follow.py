"""Following: what this process shows of answers, wherever they are written.

    publish (after COMMIT)                      read by another process
       group of this process ──▶ Live ◀── Poller ── one query per tick for all that is watched
                  │                │         ▲
                  │      followers, each     │
                  │      at its position     │ look now
                  └─────────▶ Wake ─ ─ ─ ─ ─ ┘ of another process

Joining: take the `Topic` or `Live` first, read the database second, go on from the position read.
`joining` does so for a conversation. Whoever feeds a `Live` begins at its ``base_offset``: the
committer with the first text that it writes, the poller with the generation's first row.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from weakref import WeakValueDictionary

from flask_chatstream.lifecycle import Claimed, Ended
from flask_chatstream.wake import Wake

from .live import End, Live
from .topic import Topic


class Follow:
    """The lives and topics of one process; kept as long as somebody holds them.

    What this process has changed is told to the others by ``wake``.
    """

    def __init__(self, wake: Wake | None = None) -> None:
        self._wake = wake or Wake(None)
        self._lock = threading.Lock()
        self._topics: WeakValueDictionary[str, Topic] = WeakValueDictionary()
        self._local: dict[int, Live] = {}
        self._remote: WeakValueDictionary[int, Live] = WeakValueDictionary()

    def topic(self, conversation_id: str) -> Topic:
        """The topic of a conversation, the same for all who hold it."""

        with self._lock:
            topic = self._topics.get(conversation_id)

            if topic is None:
                topic = self._topics[conversation_id] = Topic(conversation_id)

            return topic

    def topics(self) -> list[Topic]:
        """The conversations that somebody here is looking at."""

        with self._lock:
            return [topic for topic in self._topics.values() if topic.viewers]

    def changed(
        self,
        conversation_id: str,
        version: int | None = None,
        place: tuple[str, str] | None = None,
    ) -> None:
        """Something that is not text was committed here in a conversation; as `Topic.change`."""

        self._wake.tell_changed(conversation_id)
        topic = self._topics.get(conversation_id)

        if topic is not None:
            topic.change(version, place)

    def holds(self, conversations: Iterable[str]) -> bool:
        """Whether anybody here follows one of these conversations."""

        return any(id in self._topics for id in conversations)

    def open(self, claimed: Claimed) -> Live:
        """The live of a generation that this process writes; those who have joined it keep it."""

        id = claimed.generation_id
        live = self.join(id, claimed.message_id, claimed.conversation_id, claimed.base_offset)

        with self._lock:
            self._remote.pop(id, None)
            self._local[id] = live

        return live

    def close(self, live: Live) -> None:
        """Nothing is written here any more; without a known end the poller is to find it."""

        with self._lock:
            self._local.pop(live.generation_id, None)

            if live.end is None:
                self._remote[live.generation_id] = live

    def join(
        self, generation_id: int, message_id: str, conversation_id: str, base_offset: int
    ) -> Live:
        """The live of a running generation, fed here or by the poller."""

        topic = self.topic(conversation_id)

        with self._lock:
            live = self._local.get(generation_id) or self._remote.get(generation_id)

            if live is None:
                live = Live(generation_id, message_id, conversation_id, base_offset, topic)
                self._remote[generation_id] = live

            return live

    def remote(self) -> list[Live]:
        """The lives that the poller must feed."""

        with self._lock:
            return [live for live in self._remote.values() if live.end is None]

    def ended(self, ended: Ended) -> None:
        """An end was committed by this process."""

        id = ended.generation_id
        live = self._local.get(id) or self._remote.get(id)

        if live is not None and ended.won:
            live.publish(ended.base_offset, ended.text)
            live.finish(End(ended.status, ended.error_code))

        self.changed(ended.conversation_id, ended.version, ended.place)
