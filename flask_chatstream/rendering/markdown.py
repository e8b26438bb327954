"""One block of Markdown into safe HTML: CommonMark, tables, task lists, autolinks, formulas.

Raw HTML is shown as text, a single newline is a break, titles are dropped. A "block" is what
stands at the top level of a text: a paragraph, a whole list, a fence. No rule in use here looks
ahead for its end, which is what lets `cutting` find blocks while the text is still coming.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, blockquote, list_block, table
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from .autolinks import Autolinks
from .formulas import mark_place, place_formulas, read_block, read_inline, render_token
from .highlight import render_code, render_frame
from .links import read_alt, settle_links
from .safety import clean, plain, render_language

#: How a block is shown: as typed, as Markdown with bare code, as Markdown with coloured code.
Manner = Literal["plain", "bare", "coloured"]
Definition = dict[str, Any]

#: Lists and quotes inside each other; deeper ones are text. The parser's own limit is above it,
#: because what it does there (drop the rest of the document) would depend on text still to come.
MAX_NESTING = 20
MAX_COLUMNS = 100
MAX_CELLS = 10_000

_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")
_ALIGNMENT = re.compile(r"text-align:(left|center|right)")

_BlockRule = Callable[[StateBlock, int, int, bool], bool]


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block: its source, its parsed tokens (used up by rendering; None: parse the
    source again), and how it is to be shown."""

    source: str
    tokens: list[Token] | None
    manner: Manner


class References:
    """Link definitions by label, noting in ``missed`` the labels that were asked for in vain."""

    def __init__(self, known: dict[str, Definition]):
        self.known = known
        self.missed: set[str] = set()

    def __contains__(self, label: str) -> bool:
        return self.get(label) is not None

    def __getitem__(self, label: str) -> Definition:
        return self.known[label]

    def get(self, label: str, default: None = None) -> Definition | None:
        """The definition of a normalised label; no label is longer than CommonMark allows."""
        if len(label) > 999:
            return default

        found = self.known.get(label)

        if found is None:
            self.missed.add(label)

        return found


class _Html(RendererHTML):
    """Token stream to HTML, with classes where markdown-it would write styles."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        language = render_language(unescapeAll(token.info))
        colours = env["manner"] == "coloured"
        inner = render_code(token.content, language) if colours else escape(token.content)
        return render_frame(str(inner), language)

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return render_frame(str(escape(tokens[idx].content)), "")

    def definition(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return ""

    def table_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return '<div class="cs-table" tabindex="0"><table>\n'

    def table_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return "</table></div>\n"

    def list_item_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        html = self.renderToken(tokens, idx, options, env)

        if "done" not in tokens[idx].meta:
            return html

        state = 'checked aria-label="Done"' if tokens[idx].meta["done"] else 'aria-label="To do"'
        return f'{html}<input type="checkbox" class="cs-task-box" disabled {state}> '

    def formula(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        env["formulas"].append(render_token(tokens[idx]))
        return str(mark_place(len(env["formulas"]) - 1))

    def formula_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return self.formula(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        alt = read_alt(tokens[idx].children or [])
        return (
            f'<img src="{escape(tokens[idx].attrs["src"])}" alt="{escape(alt)}" class="cs-image"'
            ' loading="lazy" referrerpolicy="no-referrer">'
        )


def _nested(rule: _BlockRule) -> _BlockRule:
    def limited(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return state.level < MAX_NESTING and rule(state, start, end, silent)

    return limited


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    columns = state.src.count("|", state.bMarks[start], state.eMarks[start])

    if not 0 < columns <= MAX_COLUMNS:
        return False

    return table(state, start, min(end, start + 2 + MAX_CELLS // columns), silent)


def _read_tasks(state: StateCore) -> None:
    for item, _, text in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        match = _TASK.match(text.content) if item.type == "list_item_open" else None

        if match is not None and text.type == "inline":
            item.meta["done"] = match[1] != " "
            item.attrSet("class", "cs-task")
            text.content = text.content[match.end() :]


def _align_cells(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("th_open", "td_open"):
            style = str(token.attrs.pop("style", ""))

            if match := _ALIGNMENT.match(style):
                token.attrSet("class", f"cs-{match[1]}")


@cache
def parser() -> MarkdownIt:
    """The one parser, with the stages that the cutter runs itself switched off."""
    options = {"html": False, "breaks": True, "xhtmlOut": False, "linkify": True}
    md = MarkdownIt("commonmark", renderer_cls=_Html, options_update=options)
    md.options["maxNesting"] = MAX_NESTING + 10
    md.options["inline_definitions"] = True
    md.enable(["strikethrough", "linkify"])
    md.disable(["normalize", "block", "html_block", "html_inline"])

    md.linkify = Autolinks()
    inside = ["paragraph", "reference", "blockquote"]
    md.block.ruler.before("fence", "formula", read_block, {"alt": [*inside, "list"]})
    md.inline.ruler.before("escape", "formula", read_inline)
    md.block.ruler.at("list", _nested(list_block), {"alt": inside})
    md.block.ruler.at("blockquote", _nested(blockquote), {"alt": [*inside, "list"]})
    # After fences and headings, which so stay what they are at their first line.
    md.block.ruler.before("lheading", "grid", _table, {"alt": ["paragraph", "reference"]})

    md.core.ruler.before("inline", "tasks", _read_tasks)
    md.core.ruler.before("inline", "alignment", _align_cells)
    md.core.ruler.push("links", settle_links)
    md.validateLink = lambda url: True  # type: ignore[method-assign]
    return md


def parse_blocks(source: str) -> tuple[list[Token], dict[str, Definition]]:
    """The block tokens of some whole lines, and the link definitions in them by label."""
    definitions: dict[str, Definition] = {}
    tokens = parser().block.parse(source, parser(), {"references": definitions}, [])
    return tokens or [], definitions


def render_tokens(
    tokens: list[Token],
    references: References,
    manner: Manner = "coloured",
    image_hosts: frozenset[str] = frozenset(),
) -> Markup:
    """The HTML of one block's tokens, which are used up."""
    md = parser()
    formulas: list[Markup] = []
    env: EnvType = {"references": references, "image_hosts": image_hosts, "manner": manner}
    env["formulas"] = formulas
    md.core.process(StateCore("", md, env, tokens))
    html = md.renderer.render(tokens, md.options, env).strip()
    return place_formulas(clean(html, images=bool(image_hosts)), formulas)


def render_block(
    block: Block, references: References, image_hosts: frozenset[str] = frozenset()
) -> Markup:
    """The HTML of one block."""
    if block.manner == "plain":
        return plain(block.source)

    tokens = block.tokens if block.tokens is not None else parse_blocks(block.source)[0]
    return render_tokens(tokens, references, block.manner, image_hosts)
