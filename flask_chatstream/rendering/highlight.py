"""Code with Pygments classes: whole for a closed fence, line by line for one still being written.

The colours are in ``static/chatstream-highlight.css``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter

from markdown_it.common.utils import unescapeAll
from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.token import STANDARD_TYPES, _TokenType

from .languages import find_lexer
from .safety import TOKEN_CLASSES, clean, render_language

#: Code longer than this, in characters, is shown without colours: 100,000 take about 0.1 s.
MAX_HIGHLIGHT = 100_000

#: Code with a line longer than this is not coloured either.
MAX_LINE = 2_000

#: A growing fence is coloured in groups of about this many characters, each frozen once full.
GROUP = 2_000

#: How much of the code before a group its lexer reads again to know where it stands.
CONTEXT = 1_500

Piece = tuple[str, str]


@cache
def _class_name(kind: _TokenType) -> str:
    short: str | None = None
    node: _TokenType | None = kind

    while node is not None and short is None:
        short = STANDARD_TYPES.get(node)
        node = node.parent

    return name if (name := f"cs-{short}") in TOKEN_CLASSES else ""


def _lex(code: str, lexer: Lexer) -> list[Piece] | None:
    """The code in pieces, or None where the lexer fails, alters it or takes too long."""
    # Nearly all slow cases are long lines, as in machine-made code that nobody reads.
    if max(map(len, code.split("\n"))) > MAX_LINE:
        return None

    deadline = time.thread_time() + 0.01 + 2e-6 * len(code)
    pieces: list[Piece] = []

    try:
        for _, kind, value in lexer.get_tokens_unprocessed(code):
            pieces.append((_class_name(kind), value))

            if time.thread_time() > deadline:
                return None
    except Exception:
        # Some lexers raise on odd input, and anything at all: colours are not worth an answer.
        return None

    return pieces if "".join(value for _, value in pieces) == code else None


def _render_pieces(pieces: Iterable[Piece]) -> str:
    html: list[str] = []

    for name, run in groupby(pieces, key=itemgetter(0)):
        text = str(escape("".join(value for _, value in run)))
        html.append(f'<span class="{name}">{text}</span>' if name else text)

    return "".join(html)


def render_code(code: str, language: str) -> str:
    """The inside of a ``code`` element; escaped only when the language is not known."""
    lexer = find_lexer(language)

    if lexer is None or len(code) > MAX_HIGHLIGHT:
        return str(escape(code))

    pieces = _lex(code, lexer)
    return str(escape(code)) if pieces is None else _render_pieces(pieces)


def render_frame(inner: str, language: str) -> str:
    """A code box: a head with the language's name and the copy button, and the code."""
    lexer = find_lexer(language)
    name = lexer.name if lexer else language
    mark = f' data-language="{escape(language)}"' if language else ""

    return (
        f'<div class="cs-code"{mark}><div class="cs-code-head">'
        f'<span class="cs-code-lang">{escape(name)}</span>'
        '<button type="button" class="cs-copy-code" data-action="copy-code">Copy</button></div>'
        f'<pre tabindex="0"><code>{inner}</code></pre></div>'
    )


def _skip(pieces: Iterable[Piece], count: int) -> Iterator[Piece]:
    for name, value in pieces:
        if count < len(value):
            yield name, value[count:]

        count = max(0, count - len(value))


class GrowingCode:
    """An open fence, rendered again and again while it grows, each character a bounded number
    of times. Groups end where the text says, so every process colours them alike."""

    def __init__(self, info: str, *, indent: int = 0, room: int = MAX_HIGHLIGHT):
        self._language = render_language(unescapeAll(info))
        self._lexer = find_lexer(self._language)
        self._indent = re.compile(f" {{0,{indent}}}")
        self._room = room
        self._seen = 0
        self._frozen: list[str] = []
        self._context = ""
        self._group = ""

    def render(self, lines: Sequence[str], partial: str) -> Markup:
        """The box for these whole lines (those of the last call and more) and a begun one."""
        for line in lines[self._seen :]:
            self._add(f"{self._cut_indent(line)}\n")

        self._seen = len(lines)
        begun = self._group + self._cut_indent(partial)
        inner = self._colour(begun) if len(begun) < 2 * GROUP else str(escape(begun))
        return Markup(render_frame("".join([*self._frozen, inner]), self._language))

    def _cut_indent(self, line: str) -> str:
        return self._indent.sub("", line, count=1)

    def _add(self, line: str) -> None:
        self._group += line

        while len(self._group) >= 2 * GROUP:
            self._freeze(2 * GROUP)

        if len(self._group) >= GROUP:
            self._freeze(len(self._group))

    def _freeze(self, size: int) -> None:
        group, self._group = self._group[:size], self._group[size:]
        self._frozen.append(self._colour(group))
        self._room -= size
        self._context = (self._context + group)[-CONTEXT:]

    def _colour(self, group: str) -> str:
        if self._lexer is None or self._room < len(group):
            return str(escape(group))

        start = self._context[self._context.find("\n") + 1 :]
        pieces = _lex(start + group, self._lexer)

        if pieces is None:
            return str(escape(group))

        return str(clean(_render_pieces(_skip(pieces, len(start)))))
