"""A conversation as it is shown at one moment: read, joined with what is written, rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from flask_chatstream.conversations import Reading, read_branch
from flask_chatstream.following import Display, Live, Mark
from flask_chatstream.generation import Joined, join
from flask_chatstream.models import Conversation
from flask_chatstream.state import State

from .blocks import live_blocks, stored_blocks
from .context import ConversationView, MessageView, make_message
from .cursors import NOTHING, Cursor
from .languages import Language
from .visit import Visit

#: Most messages of a page.
PAGE = 100
#: Of a viewer who has no block, not even of an answer that has no text yet.
UNSEEN = Mark(position=-1)


@dataclass(frozen=True, slots=True)
class Writing:
    """The answer that is being written, where its text comes from, and its blocks."""

    message_id: str
    live: Live
    display: Display


@dataclass(frozen=True, slots=True)
class Shown:
    """A conversation as it was read: its messages, and the one that is being written.

    ``language`` is the viewer's. ``is_end`` says that the last message is the end of its branch.
    """

    conversation: Conversation
    language: Language
    readings: Sequence[Reading]
    has_older: bool
    writing: Writing | None
    is_end: bool = True


def read_shown(
    visit: Visit, conversation_id: str, *, leaf: str | None = None, before: str | None = None
) -> Shown:
    """The conversation with its newest messages, or those in front of ``before``.

    ``leaf`` names the branch, by default the one that is shown. Raises `NotFound`.
    """

    read = partial(
        read_branch,
        owner=visit.owner,
        mount=visit.mount,
        conversation_id=conversation_id,
        leaf=leaf,
        before=before,
        limit=PAGE,
    )
    joined = join(visit.state.runtime, conversation_id, read)
    branch, writing = joined.branch, _writing(visit.state, joined)

    return Shown(
        branch.conversation,
        visit.language,
        branch.readings,
        branch.has_older,
        writing,
        before is None,
    )


def _writing(state: State, joined: Joined) -> Writing | None:
    if joined.live is None:
        return None

    display = state.displays.get(joined.live, joined.prefix)
    display.refresh()

    return Writing(joined.live.message_id, joined.live, display)


def show(state: State, shown: Shown) -> ConversationView:
    """The whole conversation for a page, with the cursor of exactly this rendering."""

    messages, mark = show_messages(state, shown, shown.readings)
    conversation, writing = shown.conversation, shown.writing
    cursor = Cursor(conversation.version, writing.message_id if writing else None, mark)

    return ConversationView(
        id=conversation.id,
        title=conversation.title,
        messages=messages,
        cursor=cursor.encode(),
        running=writing is not None,
        has_older=shown.has_older,
        oldest_id=messages[0].id if messages else None,
    )


def show_messages(
    state: State, shown: Shown, readings: Sequence[Reading]
) -> tuple[list[MessageView], Mark]:
    """Messages with all of their blocks, and the mark of the one that is being written."""

    blocks = stored_blocks(state, readings, shown.language)
    mark = NOTHING

    if shown.writing is not None:
        change = shown.writing.display.since(UNSEEN)
        blocks[shown.writing.message_id] = live_blocks(change, shown.language)
        mark = change.mark

    last = shown.readings[-1].message.id if shown.readings and shown.is_end else None
    messages = [
        make_message(r, blocks.get(r.message.id, ()), shown.language, leaf=r.message.id == last)
        for r in readings
    ]

    return messages, mark
