"""An answer's Markdown while it is being written: sealed blocks and one live tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from .cutting import MAX_WEIGHT, Cut, Cutter
from .healing import begins_table, complete_table, heal_tokens, hold_back
from .highlight import MAX_HIGHLIGHT, GrowingCode
from .lines import OpenFence
from .markdown import Definition, References, parse_blocks, render_block, render_tokens
from .safety import plain
from .sealing import SealedBlocks

#: Stored HTML of another version is not to be used any more.
RENDERER_VERSION = 2

#: While nobody looks, so many finished blocks keep their parsed form; the others keep the source.
MAX_PARSED = 64


def render_markdown(text: str, *, image_hosts: frozenset[str] = frozenset()) -> Markup:
    """A whole text as safe HTML.

    The same as the blocks that `IncrementalMarkdown` ends with, joined by nothing. Pictures are
    shown from ``image_hosts`` only; others become links that name their host.
    """
    cutter = Cutter(patient=True)
    cuts = [*cutter.feed(text), *cutter.close()]
    known: dict[str, Definition] = {}

    for cut in reversed(cuts):
        known.update(cut.definitions)

    blocks = (block for cut in cuts for block in cut.blocks)
    return Markup("").join(render_block(b, References(known), image_hosts) for b in blocks)


class IncrementalMarkdown:
    """Markdown that grows.

    ``feed`` it any pieces; ``sealed`` are the blocks that are finished, ``tail`` the open rest for
    show. What they are depends on the text alone, not on the pieces, so another process that feeds
    the same text has the same blocks under the same numbers. Nothing is rendered before it is
    looked at. Not safe for use by two threads at once.

    Example::

        page = IncrementalMarkdown()
        page.feed("# Ti")
        page.feed("tle\\n\\nSome **bo")
        page.sealed  # [Markup("<h1>Title</h1>")]
        page.tail    # Markup("<p>Some <strong>bo</strong></p>")
    """

    def __init__(self, *, image_hosts: frozenset[str] = frozenset()):
        self._image_hosts = image_hosts
        self._cutter = Cutter()
        self._queue: list[Cut] = []
        self._blocks = SealedBlocks(image_hosts)
        self._tail: Markup | None = None
        self._code: GrowingCode | None = None
        self._is_closed = False

    def feed(self, text: str) -> None:
        """Take more of the text. Raises ``ValueError`` after ``close()``."""
        if self._is_closed:
            raise ValueError("This text is closed: make another IncrementalMarkdown for more.")

        if text:
            self._enqueue(self._cutter.feed(text))

    def close(self, *, is_whole: bool = True) -> None:
        """Take the end of the text: everything is sealed, the tail is empty.

        A text that broke off, so not ``is_whole``, ends as its tail was shown, with half-open
        marks closed; where the tail showed nothing, as it was typed.
        """
        if self._is_closed:
            return

        shown = "" if is_whole else self.tail
        cuts = self._cutter.close()
        self._is_closed = True
        self._enqueue([Cut([], cut.definitions) for cut in cuts] if shown else cuts)

        if shown:
            self._catch_up().html.append(Markup(shown))

    @property
    def sealed(self) -> Sequence[Markup]:
        """The finished blocks. They only grow in number; `amended` tells which changed."""
        return self._catch_up().html

    @property
    def amended(self) -> Sequence[int]:
        """The numbers of sealed blocks whose HTML changed later, in the order in which it did.

        That happens when a link's definition comes after its use.
        """
        return self._catch_up().amended

    @property
    def tail(self) -> Markup:
        """What is not finished yet, with half-open marks closed; empty when there is nothing."""
        if self._tail is None:
            fence = self._cutter.fence
            self._tail = self._render_fence(fence) if fence else self._render_open()

        return self._tail

    @property
    def tail_index(self) -> int:
        """The number that the tail has as a block."""
        return len(self.sealed)

    def _enqueue(self, cuts: list[Cut]) -> None:
        self._tail = None

        if cuts:
            self._code = None

        room = len(self._queue) < MAX_PARSED
        self._queue += cuts if room else [_forget_tokens(cut) for cut in cuts]

    def _catch_up(self) -> SealedBlocks:
        queue, self._queue = self._queue, []

        for cut in queue:
            self._blocks.add(cut)

        if self._is_closed:
            self._blocks.settle()

        return self._blocks

    def _render_fence(self, fence: OpenFence) -> Markup:
        cutter = self._cutter

        if self._code is None:
            room = MAX_HIGHLIGHT - cutter.budget.coloured
            self._code = GrowingCode(fence.info, indent=fence.indent, room=room)

        is_closing = not cutter.partial.strip(" \t").strip(fence.mark)
        return self._code.render(cutter.lines[1:], "" if is_closing else cutter.partial)

    def _render_open(self) -> Markup:
        cutter = self._cutter
        text = "\n".join([*cutter.lines, cutter.partial])

        if cutter.is_plain or len(text) > MAX_WEIGHT:
            return plain(text)

        return self._render_blocks(hold_back(text))

    def _render_blocks(self, text: str) -> Markup:
        tokens, definitions = parse_blocks(text)

        if begins_table(tokens, text):
            tokens, definitions = parse_blocks(complete_table(text))

        manner = self._cutter.budget.judge(tokens)

        if manner == "plain":
            return plain(text)

        heal_tokens(tokens, text)
        known = References({**definitions, **self._catch_up().known})
        return render_tokens(tokens, known, manner, self._image_hosts)


def _forget_tokens(cut: Cut) -> Cut:
    return replace(cut, blocks=[replace(block, tokens=None) for block in cut.blocks])
