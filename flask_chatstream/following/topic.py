"""Everything that changes in one conversation, as this process learns of it."""

from __future__ import annotations

from flask_chatstream.concurrency import Pulse

from .tail import Tail


class Topic(Pulse):
    """The changes of a conversation, and who looks at it here."""

    __slots__ = (
        "__weakref__",
        "_tails",
        "changes",
        "conversation_id",
        "most_viewers",
        "place",
        "version",
        "viewers",
    )

    def __init__(self, conversation_id: str):
        super().__init__()
        self.conversation_id = conversation_id
        #: The conversation's newest version that is known here; None before anybody has read it.
        self.version: int | None = None
        #: Whose it is at that version, and of which mount; None where that is to be looked up.
        self.place: tuple[str, str] | None = None
        self.viewers = 0
        self.most_viewers = 0
        #: Counts the changes that were not text.
        self.changes = 0
        self._tails: set[Tail] = set()

    def enter(self) -> None:
        """One more viewer."""

        with self._lock:
            self.viewers += 1
            self.most_viewers = max(self.most_viewers, self.viewers)

    def leave(self) -> None:
        """One viewer less."""

        with self._lock:
            self.viewers -= 1

    def add(self, tail: Tail) -> None:
        """Wake a viewer who is sent text, by everything else."""

        with self._lock:
            self._tails.add(tail)

    def remove(self, tail: Tail) -> None:
        """Wake it no more."""

        with self._lock:
            self._tails.discard(tail)

    def beat(self) -> None:
        """Wake everybody: there is something to look at, and not text alone."""

        super().beat()

        if self._tails:
            with self._lock:
                tails = list(self._tails)

            for tail in tails:
                tail.wake()

    def beat_text(self) -> None:
        """Wake those who fetch new text by themselves."""

        super().beat()

    def change(self, version: int | None = None, place: tuple[str, str] | None = None) -> None:
        """Something other than text has changed, with the version that it led to, if known.

        ``place`` is the owner and the mount, as whoever made this version has locked them.
        """

        with self._lock:
            is_news = version is None or self.version is None or version > self.version

            if version is not None and is_news:
                self.version = version

            if is_news:
                self.place = place

            self.changes += is_news

        if is_news:
            self.beat()

    def read(self, version: int) -> None:
        """A viewer has read the conversation: news for those who have read an older version, and
        for the viewer itself if others have read a newer one."""

        with self._lock:
            is_news = self.version is not None and version != self.version

            if self.version is None or version > self.version:
                self.place = None

            self.version = version if self.version is None else max(self.version, version)
            self.changes += is_news

        if is_news:
            self.beat()
