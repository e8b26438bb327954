"""The HTML of answers, block by block: stored once an answer has ended, live until then."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from flask_chatstream.catalogues import Catalogue
from flask_chatstream.conversations import Html, Reading, store_html
from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.following import Change
from flask_chatstream.rendering import RENDERER_VERSION, IncrementalMarkdown
from flask_chatstream.state import State

from .context import BlockView
from .languages import Language
from .words import localize_block

logger = logging.getLogger(__name__)


def stored_blocks(
    state: State, readings: Iterable[Reading], language: Language
) -> dict[str, list[BlockView]]:
    """The blocks of answers that have ended; what was not stored yet is, for the next viewer."""

    ended = [r for r in readings if _is_ended(r)]
    fresh = {r.message.id: _render(state, r) for r in ended if not _is_stored(r)}

    if fresh:
        _store(state, [r for r in ended if r.message.id in fresh], fresh)

    catalogue = language.catalogue

    return {r.message.id: _blocks(fresh.get(r.message.id) or _load(r), catalogue) for r in ended}


def keep_blocks(state: State, reading: Reading) -> None:
    """Store the HTML of an answer that was watched to its end, once for all of its viewers here."""

    display = state.displays.find(reading.message.id)

    if display is None or _is_stored(reading) or not _is_ended(reading):
        return

    blocks = display.find_whole(len(reading.text))

    if blocks is not None and display.is_to_keep():
        _store(state, [reading], {reading.message.id: blocks})


def live_blocks(change: Change, language: Language) -> list[BlockView]:
    """Blocks of an answer that is being written, with their words in a language."""

    return [
        BlockView(n, Markup(localize_block(html, language.catalogue)), final)
        for n, html, final in change.blocks
    ]


def _is_ended(reading: Reading) -> bool:
    return reading.message.role == "assistant" and reading.message.status != "generating"


def _is_stored(reading: Reading) -> bool:
    message = reading.message

    return message.html is not None and message.html_version == RENDERER_VERSION


def _load(reading: Reading) -> list[str]:
    blocks: list[str] = json.loads(reading.message.html or "[]")

    return blocks


def _render(state: State, reading: Reading) -> list[str]:
    """The blocks of an answer's text, as its viewers have them if it was watched to its end."""

    display = state.displays.find(reading.message.id)
    blocks = display.find_whole(len(reading.text)) if display is not None else None

    if blocks is not None:
        return blocks

    markdown = IncrementalMarkdown(image_hosts=state.image_hosts)
    markdown.feed(reading.text)
    markdown.close(is_whole=reading.message.status == "completed")

    return [str(block) for block in markdown.sealed]


def _blocks(html: Sequence[str], catalogue: Catalogue) -> list[BlockView]:
    return [
        BlockView(n, Markup(localize_block(block, catalogue)), True) for n, block in enumerate(html)
    ]


def _store(state: State, readings: Sequence[Reading], blocks: dict[str, list[str]]) -> None:
    rendered = [
        Html(r.message.id, r.message.version, json.dumps(blocks[r.message.id])) for r in readings
    ]

    try:
        state.database.write(store_html, rendered, RENDERER_VERSION)
    except StorageUnavailable:
        logger.info("Rendered answers could not be stored; they will be rendered again.")
