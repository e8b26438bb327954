"""One generation's text on its way into the journal: appended, placed in rows, committed."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from flask_chatstream.following import Live

#: Uncommitted text of one generation above which ``append`` waits, in code points.
MAX_PENDING = 262_144


class Fenced(Exception):
    """The generation is no longer this writer's: it ended, was claimed anew, or is gone."""


class StorageLost(Exception):
    """The database has not taken the generation's text for as long as it is tried."""


class Stream:
    """The journal's side of one claimed generation.

    ``append`` hands a piece of text over to the journal; ``on_loss`` is called when nothing of the
    generation will be committed any more.
    """

    __slots__ = (
        "_append",
        "_on_loss",
        "appended",
        "chunk_ids",
        "committed",
        "count",
        "epoch",
        "failure",
        "live",
        "placed",
    )

    def __init__(
        self,
        append: Callable[[Stream, str], object],
        live: Live,
        epoch: int,
        on_loss: Callable[[], object],
    ):
        self._append = append
        self._on_loss = on_loss
        self.live = live
        self.epoch = epoch
        self.count = 0
        #: Row ids in the journal, where it has them; not all of them after a failure.
        self.chunk_ids = array("q")
        self.appended = live.base_offset
        self.committed = live.base_offset
        self.failure: type[Exception] | None = None
        #: Where the next row begins, behind all that were made of appended text.
        self.placed = live.base_offset

    def append(self, text: str) -> None:
        """Hand over text to be committed and shown.

        Raises `Fenced` or `StorageLost`, both for good.
        """

        self._raise()
        # In this order: ``flush`` must not wait for text that was never queued.
        self._append(self, text)
        self.appended += len(text)

        if self.appended - self.committed > MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        """Wait until all that was appended is committed; raises as ``append``."""

        while self.failure is None and self.committed < self.appended:
            change = self.live.mark()

            if self.failure is None and self.committed < self.appended:
                change.wait()

        self._raise()

    def known_ids(self) -> Sequence[int]:
        """The row ids of all its chunks; none unless all are known."""

        return self.chunk_ids if len(self.chunk_ids) == self.count else ()

    def lose(self, failure: type[Exception]) -> None:
        """Nothing of this stream will be committed any more."""

        self.failure = failure
        self.live.wake()
        self._on_loss()

    def _raise(self) -> None:
        if self.failure is not None:
            raise self.failure
