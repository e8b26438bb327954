"""An answer as blocks of HTML while it is written: made once per process, for all its viewers.

Nothing is rendered that nobody watches, and no oftener than the rendering's own cost allows: the
next look comes after 100 ms or 20 times what the last one took, whichever is longer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary, ref

from flask_chatstream.rendering import IncrementalMarkdown

from .live import Live

LEAST_SECONDS = 0.1
COST_FACTOR = 20


class Mark(NamedTuple):
    """How much of an answer a viewer has: finished blocks, amendments to them, code points."""

    sealed: int = 0
    amends: int = 0
    position: int = 0


class Change(NamedTuple):
    """Blocks as (number, HTML, finished), and the mark of a viewer who has them."""

    blocks: Sequence[tuple[int, str, bool]]
    mark: Mark


class Display:
    """The blocks of one live; ``prefix`` is the message's text in front of it.

    It does not keep the live, by which `Displays` keeps it.
    """

    def __init__(self, live: Live, prefix: str, image_hosts: frozenset[str]):
        self._live = ref(live)
        self._position = live.base_offset
        self._markdown = IncrementalMarkdown(image_hosts=image_hosts)
        self._markdown.feed(prefix)
        self._lock = threading.Lock()
        self._due = 0.0
        self._is_closed = False
        self._is_kept = False

    def since(self, mark: Mark) -> Change:
        """The blocks that a viewer at ``mark`` has not got, the open one included.

        A viewer who comes from another worker may be ahead of what is rendered here; without
        catching up, the page would lose words that it has shown. A mark beyond what is stored is
        none of ours, and its viewer gets everything.
        """

        with self._lock:
            if mark.position > self._position:
                self._catch_up()

            sealed, amended = self._markdown.sealed, self._markdown.amended
            now = Mark(len(sealed), len(amended), self._position)

            if any(theirs > ours for theirs, ours in zip(mark, now, strict=True)):
                mark = Mark(position=-1)

            if now == mark:
                return Change((), now)

            again = sorted({n for n in amended[mark.amends :] if n < mark.sealed})
            numbers = [*again, *range(mark.sealed, len(sealed))]
            blocks = [(n, str(sealed[n]), True) for n in numbers]
            tail = str(self._markdown.tail)

            if tail:
                blocks.append((len(sealed), tail, False))

            return Change(tuple(blocks), now)

    def pause(self) -> float:
        """Seconds until a look is worth its cost again."""

        return max(0.0, self._due - time.monotonic())

    @property
    def is_behind(self) -> bool:
        """Whether text is committed that the last look, too early for it, has left out."""

        live = self._live()

        return live is not None and live.length > self._position

    def refresh(self) -> None:
        """Take in what was committed since the last look, if a look is due or the end has come."""

        with self._lock:
            live = self._live()
            end = live.end if live is not None else None

            if end is None and self.pause() > 0:
                return

            self._catch_up()

            if end is not None:
                self._markdown.close(is_whole=end.status == "completed")
                self._is_closed = True

    def find_whole(self, length: int) -> list[str] | None:
        """The HTML of all blocks, if the answer has ended and ``length`` is all of its text."""

        with self._lock:
            if not self._is_closed or self._position != length:
                return None

            return [str(block) for block in self._markdown.sealed]

    def is_to_keep(self) -> bool:
        """Whether nobody has been told yet to store the HTML: True for the first who asks."""

        with self._lock:
            is_kept, self._is_kept = self._is_kept, True

            return not is_kept

    def _catch_up(self) -> None:
        live = self._live()
        text = live.read(self._position) if live is not None else ""

        if text:
            self._take(text)

    def _take(self, text: str) -> None:
        started = time.monotonic()
        self._markdown.feed(text)
        self._position += len(text)
        _ = self._markdown.tail
        cost = time.monotonic() - started
        self._due = started + max(LEAST_SECONDS, COST_FACTOR * cost)


class Displays:
    """The displays of one process, kept as long as their live."""

    def __init__(self, image_hosts: frozenset[str]):
        self._image_hosts = image_hosts
        self._displays: WeakKeyDictionary[Live, Display] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self, live: Live, prefix: str) -> Display:
        """The display of a live, the same for all its viewers."""

        with self._lock:
            display = self._displays.get(live)

            if display is None:
                display = self._displays[live] = Display(live, prefix, self._image_hosts)

            return display

    def find(self, message_id: str) -> Display | None:
        """The display of an answer that somebody here watches, or has just watched to its end."""

        with self._lock:
            lives = [live for live in self._displays if live.message_id == message_id]
            # An answer that was continued has one more, and its end is the last one's.
            newest = max(lives, key=lambda live: live.generation_id, default=None)

            return self._displays[newest] if newest is not None else None
