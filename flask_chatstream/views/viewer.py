"""One viewer of a conversation: what it has got so far, and what it gets next.

A viewer takes from its request what it needs before the stream begins. It holds no database
connection and no context between two fragments; the owner is checked again whenever something
other than text has changed.
"""

from __future__ import annotations

import time
from dataclasses import replace

from flask import Flask, current_app, request

from flask_chatstream.conversations import is_anothers
from flask_chatstream.errors import NotFound

from .blocks import live_blocks
from .context import BlockView, MessageView, make_message
from .cursors import Cursor
from .differences import Difference, compare
from .languages import keep_language
from .showing import Shown, Writing, read_shown
from .templates import FOLDER, find_file, render_part
from .visit import Visit, current_chat

#: How long an event stream lasts; its client comes back with its cursor.
LIFETIME_SECONDS = 60.0
#: What a live block goes through, were it not written by `_block`.
_LIVE = ("_fragments", "_block")


class Viewer:
    """One viewer of a conversation, and what it has got so far."""

    def __init__(self, visit: Visit, conversation_id: str, cursor: Cursor):
        self.watch = visit.watch(LIFETIME_SECONDS).follow(conversation_id)
        self.running = True
        self._visit = visit
        self._conversation_id = conversation_id
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        self._environ = request.environ
        keep_language(visit.language)
        self._is_moved = False
        self._first: Shown | None = self._read()
        self._writing = self._first.writing
        self._is_themed = _is_themed(self._app)
        #: The message that is being written, where the site has templates of its own for blocks.
        self._message = self._shown_message(self._first)
        self.cursor = cursor.trusted(self._first.conversation.version)

    def next(self, wait: float) -> str:
        """The fragments that the viewer has not got, or "" when none came within ``wait`` seconds.

        Raises `NotFound` when the conversation is gone or no longer the owner's.
        """

        deadline = time.monotonic() + wait

        while True:
            change = self.watch.mark()
            fragments = self._collect()

            if fragments or not self.running or self.is_sent_away:
                return fragments

            left = deadline - time.monotonic()

            if left <= 0 or not (self._is_behind() or change.wait(left)):
                return ""

            self._breathe()

    @property
    def is_sent_away(self) -> bool:
        """Whether the viewer is to come back: to another process, or to be asked who it is."""

        writing = self._writing
        generation_id = writing.live.generation_id if writing is not None else None

        return self._is_moved or self.watch.is_sent_away(generation_id)

    def _is_behind(self) -> bool:
        """Whether there is text for which no other wake-up will come."""

        return self._writing is not None and self._writing.display.is_behind

    def _breathe(self) -> None:
        """Let text gather until a look is worth its cost."""

        writing = self._writing

        if writing is not None and writing.live.end is None:
            time.sleep(writing.display.pause())

    def _collect(self) -> str:
        writing = self._writing
        is_over = writing is not None and writing.live.end is not None
        fragments = self._text(writing) if writing is not None else ""

        if self._first or is_over or self.watch.has_news:
            fragments += self._changes_here(is_over)

        return fragments

    def _changes_here(self, is_over: bool) -> str:
        try:
            return self._changes(is_over)
        except NotFound:
            # Claimed by somebody who has signed in: who comes back may well be that owner.
            visit, id = self._visit, self._conversation_id

            with visit.state.database.read() as session:
                self._is_moved = is_anothers(session, visit.owner, visit.mount, id)

            if not self._is_moved:
                raise

            return ""

    def _text(self, writing: Writing) -> str:
        if writing.message_id != self.cursor.message_id:
            return ""

        writing.display.refresh()
        change = writing.display.since(self.cursor.mark)
        self.cursor = Cursor(self.cursor.version, writing.message_id, change.mark)

        blocks = live_blocks(change, self._visit.language)

        if self._is_themed:
            return self._render(Difference(writing=self._message, blocks=blocks))

        return "".join(_block(writing.message_id, block) for block in blocks)

    def _read(self) -> Shown:
        self.watch.look()
        shown = read_shown(self._visit, self._conversation_id)
        self.watch.topic.read(shown.conversation.version)

        return shown

    def _changes(self, is_over: bool) -> str:
        before = self._writing
        followed = is_over and before is not None and before.message_id == self.cursor.message_id
        shown = self._first if self._first and not is_over else self._read()
        # A viewer keeps what is being written, not the messages of the conversation.
        self._first, self._writing = None, shown.writing
        self._message = self._shown_message(shown)
        difference = compare(self._visit.state, shown, self.cursor, followed=followed)
        self.cursor = difference.cursor
        self.running = shown.writing is not None

        return self._render(difference)

    def _shown_message(self, shown: Shown) -> MessageView | None:
        if not self._is_themed or shown.writing is None:
            return None

        return make_message(shown.readings[-1], (), shown.language, leaf=True)

    def _render(self, difference: Difference) -> str:
        if difference.is_empty:
            return ""

        with self._app.request_context(self._environ):
            _read_url_values(self._app)
            # No token travels in a stream: it may be compressed with text that others chose.
            chat = replace(current_chat("page"), csrf_token="")

            return render_part("_fragments", chat=chat, difference=difference)


def _read_url_values(app: Flask) -> None:
    """What Flask does before a request: a host's URLs may need it (``/<lang>/chat``)."""

    for name in (None, *reversed(request.blueprints)):
        for function in app.url_value_preprocessors.get(name, ()):
            function(request.endpoint, request.view_args)


def _is_themed(app: Flask) -> bool:
    """Whether the site has templates of its own for what `_block` writes without any."""

    return not all(find_file(app, name).is_relative_to(FOLDER) for name in _LIVE)


def _block(message_id: str, block: BlockView) -> str:
    final = " cs-final" if block.final else ""

    return (
        f'<div id="cs-m{message_id}-b{block.n}" class="cs-block{final}" '
        f'data-into="cs-m{message_id}-body" dir="auto">{block.html}</div>'
    )
