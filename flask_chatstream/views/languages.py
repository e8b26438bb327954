"""Which language the chat speaks with whoever has sent this request.

``CHATSTREAM_LANGUAGE`` says it; with ``auto``, the site's Flask-Babel, and without that the best of
the browser's ``Accept-Language`` for which there is a catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, has_request_context, request

from flask_chatstream.access import request_values
from flask_chatstream.catalogues import ENGLISH, Catalogue, find_catalogue, find_tags
from flask_chatstream.host import find_translations
from flask_chatstream.state import find_state

#: Of a browser's tag: language, script, region, and one more. What comes can be of any length.
MOST_PARTS = 4


@dataclass(frozen=True, slots=True)
class Language:
    """A language with its words; what is missing is English.

    ``locale`` and ``zone`` are the site's Flask-Babel's, by which numbers and moments are written.
    Without them they are written so that no language minds.
    """

    catalogue: Catalogue
    locale: Any = None
    zone: tzinfo = UTC

    @property
    def tag(self) -> str:
        """Its name, as HTML's ``lang`` has it."""

        return self.catalogue.tag

    def say(self, message: str, **values: object) -> str:
        """A message in this language; ``%(name)s`` in it stands for the value of that name."""

        return self.fill(self.catalogue.find(message) or message, values)

    def fill(self, words: str, values: Mapping[str, object]) -> str:
        """Words with their values, if they have any, in place."""

        if not values:
            return words

        return words % {
            key: self.number(value) if isinstance(value, int) else value
            for key, value in values.items()
        }

    def number(self, number: int) -> str:
        """A whole number for people."""

        if self.locale is None:
            return f"{number:,}" if self.tag == ENGLISH else str(number)

        from babel.numbers import format_decimal

        return format_decimal(number, locale=self.locale)

    def moment(self, moment: datetime) -> str:
        """A moment for people, with its zone; the page's script makes it the reader's own."""

        if self.locale is None:
            return f"{moment:%Y-%m-%d %H:%M} UTC"

        from babel.dates import format_datetime, get_timezone_name

        when = format_datetime(moment, "short", tzinfo=self.zone, locale=self.locale)
        zone = get_timezone_name(moment.astimezone(self.zone), "short", locale=self.locale)

        return f"{when} {zone}"


def english() -> Language:
    """What is said to programs."""

    return Language(find_catalogue(()))


def get_language() -> Language:
    """The language of this request, as `keep_language` has it, or as it is chosen."""

    kept: Language | None = request_values().get("language") if has_request_context() else None

    return kept or _choose()


def keep_language(language: Language) -> None:
    """Speak the same in all of this request: a stream goes on as it began."""

    request_values()["language"] = language


def _choose() -> Language:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    wanted, folders = find_state().settings.language, find_translations(app)

    if wanted != "auto":
        return Language(find_catalogue([wanted], folders))

    if not has_request_context():
        return Language(find_catalogue([], folders))

    request_values()["varies_by_language"] = True
    site = _ask_babel(app)

    return site or Language(find_catalogue([_accepted(folders)], folders))


def _accepted(folders: tuple[Path, ...]) -> str:
    """The best of the browser's languages that there is, maybe without its region."""

    known = _known(folders)

    for tag, quality in request.accept_languages:
        parts = tag.lower().split("-", MOST_PARTS)[:MOST_PARTS]
        tries = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
        found = next((known[name] for name in tries if name in known), None)

        if found is not None and quality > 0:
            return found

    return ENGLISH


@cache
def _known(folders: tuple[Path, ...]) -> Mapping[str, str]:
    return {tag.lower(): tag for tag in find_tags(folders)}


def _ask_babel(app: Flask) -> Language | None:
    """What the site speaks by its Flask-Babel; None without one."""

    get_locale, get_timezone = _find_babel(app)
    locale = get_locale()

    if locale is None:
        return None

    catalogue = find_catalogue([str(locale)], find_translations(app))
    is_same = catalogue.tag.partition("-")[0] == locale.language

    # Numbers of one language among the words of another are worse than plain ones.
    return Language(catalogue, locale if is_same else None, get_timezone() or UTC)


def _find_babel(app: Flask) -> tuple[Callable[[], Any], Callable[[], Any]]:
    if "babel" in app.extensions:
        try:
            from flask_babel import get_locale, get_timezone
        except ImportError:  # another extension of that name
            pass
        else:
            return get_locale, get_timezone

    return _nobody, _nobody


def _nobody() -> None:
    return None


def tell_caches(response: Response) -> Response:
    """Say that the answer may be another in another language."""

    if request_values().get("varies_by_language"):
        response.vary.add("Accept-Language")

    return response
