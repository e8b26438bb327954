"""What has changed in a conversation for a viewer since another moment.

One diff, three dresses: the event stream, the poll and htmx's poller all come from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask_chatstream.conversations import Reading, read_below
from flask_chatstream.state import State

from .blocks import keep_blocks, live_blocks
from .context import BlockView, MessageView, make_message
from .cursors import Cursor
from .showing import Shown, show_messages


@dataclass(frozen=True, slots=True)
class Difference:
    """What a viewer has not got, and the cursor of who has it.

    ``added`` and ``changed`` are whole messages, ``removed`` ids of messages on other branches;
    ``settled`` has its blocks on the page already and needs its state and footer; ``passed`` is no
    longer the last and needs its footer; ``blocks`` belong to ``writing``.
    """

    added: Sequence[MessageView] = ()
    changed: Sequence[MessageView] = ()
    removed: Sequence[str] = ()
    settled: MessageView | None = None
    passed: MessageView | None = None
    writing: MessageView | None = None
    blocks: Sequence[BlockView] = ()
    cursor: Cursor = field(default_factory=Cursor)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say."""

        return not (self.added or self.changed or self.removed or self.settled or self.blocks)


def compare(state: State, shown: Shown, cursor: Cursor, *, followed: bool = False) -> Difference:
    """What a viewer at a cursor has not got of a conversation.

    ``followed`` says that the viewer has followed the cursor's answer to its end, so that all of
    its blocks are on the page.
    """

    version, writing = shown.conversation.version, shown.writing
    cursor = cursor.trusted(version)
    goes_on = writing is not None and writing.message_id == cursor.message_id
    # An answer that is continued after the viewer saw its end: its last block is open again.
    goes_on, followed = goes_on and not followed, followed and not goes_on
    news = _news(shown, cursor)
    had = [r for r in news if r.message.id == cursor.message_id]
    whole = [r for r in news if not ((goes_on or followed) and r in had)]
    messages, mark = show_messages(state, shown, whole)
    change = writing.display.since(cursor.mark) if goes_on and writing else None

    return Difference(
        added=[m for m in messages if m.id != cursor.message_id],
        changed=[m for m in messages if m.id == cursor.message_id],
        removed=_beside(state, shown, news),
        settled=_settled(state, shown, had[0]) if followed and had else None,
        passed=_passed(shown, news),
        writing=make_message(shown.readings[-1], (), shown.language, leaf=True)
        if goes_on
        else None,
        blocks=live_blocks(change, shown.language) if change else (),
        cursor=Cursor(
            version, writing.message_id if writing else None, change.mark if change else mark
        ),
    )


def _news(shown: Shown, cursor: Cursor) -> list[Reading]:
    """The messages that changed after the cursor, the one that it names, the one being written."""

    named = {cursor.message_id, shown.writing.message_id if shown.writing else None}

    return [
        r for r in shown.readings if r.message.version > cursor.version or r.message.id in named
    ]


def _settled(state: State, shown: Shown, reading: Reading) -> MessageView:
    """An answer's state and footer; its blocks are not sent to those who have them."""

    keep_blocks(state, reading)

    return make_message(reading, (), shown.language, leaf=reading is shown.readings[-1])


def _passed(shown: Shown, news: Sequence[Reading]) -> MessageView | None:
    """The answer in front of the new messages, which may have been the last until now."""

    ids = [r.message.id for r in shown.readings]
    first = ids.index(news[0].message.id) if news else 0
    before = shown.readings[first - 1] if first else None

    if before is None or before.message.role != "assistant":
        return None

    return make_message(before, (), shown.language, leaf=False)


def _beside(state: State, shown: Shown, news: Sequence[Reading]) -> Sequence[str]:
    """Messages beside the new ones, and below those: a page may still have them."""

    if not news:
        return ()

    path = {r.message.id for r in shown.readings}
    depth = min(r.message.depth for r in news)

    with state.database.read() as session:
        return [id for id in read_below(session, shown.conversation.id, depth) if id not in path]
