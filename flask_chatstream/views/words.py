"""What templates and the script say: functions for the one, a table of words for the other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import escape

from flask_chatstream.catalogues import Catalogue

from .languages import Language

SCRIPT = Path(__file__).parents[1] / "static" / "words.js"
_WORD = re.compile(r'^  (\w+): (".+"),$', re.M)
#: Words in answers' HTML, which is made once for all viewers. No text of a model's looks like
#: this: its own angle brackets are escaped, and of its HTML nothing is left.
_IN_BLOCKS = (
    ('data-action="copy-code">', "Copy", "</button>"),
    ('<input type="checkbox" class="cs-task-box" disabled="" checked="" aria-label="', "Done", '"'),
    ('<input type="checkbox" class="cs-task-box" disabled="" aria-label="', "To do", '"'),
)


def make_words(language: Language, site: Mapping[str, Any]) -> dict[str, Callable[..., str]]:
    """``_``, ``gettext`` and ``ngettext`` for a template.

    They know the chat's words. What a site's version of a template says else is looked up by the
    site's own functions, if ``site`` has them.
    """

    @pass_context
    def gettext(context: Context, message: str, **values: Any) -> str:
        found = language.catalogue.find(message)

        if found is None and "gettext" in site:
            return cast(str, context.call(site["gettext"], message, **values))

        return language.fill(found or message, values)

    @pass_context
    def ngettext(context: Context, singular: str, plural: str, num: int, **values: Any) -> str:
        found = language.catalogue.find_plural(singular, plural, num)

        if found is None and "ngettext" in site:
            return cast(str, context.call(site["ngettext"], singular, plural, num, **values))

        return language.fill(found or (singular if num == 1 else plural), {"num": num, **values})

    return {"_": gettext, "gettext": gettext, "ngettext": ngettext}


def localize_block(html: str, catalogue: Catalogue) -> str:
    """A block's HTML with the words in it in a viewer's language."""

    for english, words in _changes(catalogue):
        html = html.replace(english, words)

    return html


@cache
def _changes(catalogue: Catalogue) -> list[tuple[str, str]]:
    said = [(parts, catalogue.find(parts[1]) or parts[1]) for parts in _IN_BLOCKS]

    return [
        (before + english + behind, f"{before}{escape(words)}{behind}")
        for (before, english, behind), words in said
        if words != english
    ]


@cache
def script_words() -> Mapping[str, str]:
    """What the script says, in English, by its own names."""

    found = _WORD.findall(SCRIPT.read_text(encoding="utf-8"))

    return {name: json.loads(words) for name, words in found if words != '""'}


@cache
def translated_words(catalogue: Catalogue) -> Mapping[str, str]:
    """What the script says otherwise in a language."""

    return {
        name: words
        for name, english in script_words().items()
        if (words := catalogue.find(english)) not in (None, english)
    }
