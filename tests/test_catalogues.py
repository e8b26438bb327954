"""The catalogues: complete, with the same placeholders, and read as they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from gettext import c2py
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask

from flask_chatstream.catalogues import DOMAIN, FOLDER, find_catalogue, find_tags
from flask_chatstream.views.languages import Language
from flask_chatstream.views.words import SCRIPT, script_words, translated_words
from tests.hosts import open_host
from tests.messages import find_messages, read_catalogue
from tests.test_templates import Uses, add_pages

TAGS = ("ar", "de", "en", "es", "fr", "ja")
PLACES = re.compile(r"%\(\w+\)s")
SPOKEN = {"alt", "aria-label", "placeholder", "title", "value"}
#: What people have written in `Uses`, and the chat's other words that are nobody's language.
NOT_OURS = re.compile(
    r"Hello\?|Hi|And\?|Half|Head|One|Two|Going|on|Turn \d+|A scripted answer\.|x{40000}"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d UTC|[0-9a-f]{32}"
)


def make_catalogue(folder: Path, tag: str, words: Mapping[Any, Any], domain: str = DOMAIN) -> None:
    """A site's own catalogue below a folder."""

    catalogue = Catalog(locale=tag, fuzzy=False)

    for message, translation in words.items():
        catalogue.add(message, translation)

    path = folder / "translations" / tag / "LC_MESSAGES" / f"{domain}.mo"
    path.parent.mkdir(parents=True, exist_ok=True)

    with path.open("wb") as file:
        write_mo(file, catalogue)


def _read(tag: str) -> Catalog:
    return read_catalogue(FOLDER / tag / "LC_MESSAGES" / f"{DOMAIN}.po")


def _ids(catalogue: Catalog) -> set[str | tuple[str, ...]]:
    return {message.id for message in catalogue if message.id}


def test_these_languages_are_there() -> None:
    assert find_tags() == ["en", *sorted(set(TAGS) - {"en"})]


@pytest.mark.parametrize("tag", TAGS)
def test_a_catalogue_has_all_words_and_no_others(tag: str) -> None:
    catalogue = _read(tag)

    assert _ids(catalogue) == _ids(find_messages()), "run `make messages` and translate"
    assert [m.id for m in catalogue if m.id and (not m.string or m.fuzzy)] == []
    assert not catalogue.obsolete


@pytest.mark.parametrize("tag", TAGS)
def test_placeholders_are_those_of_the_message(tag: str) -> None:
    for message in filter(lambda m: m.id, _read(tag)):
        said = PLACES.findall(str(message.string))
        assert sorted(said) == sorted(PLACES.findall(str(message.id))), message.id
        assert "%" not in PLACES.sub("", str(message.string)), message.id


@pytest.mark.parametrize("tag", TAGS)
def test_its_plurals_are_those_of_the_language(tag: str) -> None:
    forms = {"ar": 6, "es": 2, "fr": 2, "ja": 1}.get(tag, 2)
    catalogue = _read(tag)

    assert catalogue.num_plurals == forms
    assert Catalog(locale=tag).num_plurals == forms


def test_english_says_what_stands_in_the_sources() -> None:
    assert [m.id for m in _read("en") if m.id != m.string] == [""]


def test_the_words_of_the_script_are_all_found() -> None:
    (table,) = re.findall(r"^const ENGLISH = \{\n(.*?)^\};", SCRIPT.read_text(), re.M | re.S)
    names = re.findall(r"^ +(\w+):", table, re.M)
    silent = {name for name in names if f'  {name}: "",' in table}

    assert list(script_words()) == [name for name in names if name not in silent]
    assert silent == {"live", "idle"}


@pytest.mark.parametrize("tag", sorted({*TAGS} - {"en"}))
def test_the_script_gets_what_differs(tag: str) -> None:
    words = translated_words(find_catalogue([tag]))

    assert words.keys() <= script_words().keys()
    assert all(words[name] != script_words()[name] for name in words)
    # "Assistant" is French too.
    assert len(script_words()) - len(words) <= 1


def test_english_needs_no_words_for_the_script() -> None:
    assert translated_words(find_catalogue(["en"])) == {}


@pytest.mark.parametrize("tag", TAGS)
def test_a_language_says_from_which_side_it_is_read(tag: str) -> None:
    expected = "rtl" if Locale.parse(tag).text_direction == "rtl" else "ltr"

    assert find_catalogue([tag]).direction == expected


def test_a_sites_words_go_before_ours(tmp_path: Path) -> None:
    make_catalogue(tmp_path, "de_CH", {"Close": "Zumachen"})
    catalogue = find_catalogue(["de-CH"], [tmp_path / "translations"])

    assert catalogue.tag == "de-CH"
    assert catalogue.find("Close") == "Zumachen"
    assert catalogue.find("Cancel") == "Abbrechen"
    assert catalogue.find("Nobody has said this.") is None
    assert find_catalogue(["de-CH"]).find("Close") == "Schließen"


def test_a_site_may_say_it_otherwise_in_english(tmp_path: Path) -> None:
    make_catalogue(tmp_path, "en", {"How can I help?": "What is it?"})
    catalogue = find_catalogue(["en-GB"], [tmp_path / "translations"])

    assert catalogue.find("How can I help?") == "What is it?"
    assert catalogue.find("Close") == "Close"


def test_arabic_has_six_forms() -> None:
    form = c2py(_read("ar").plural_expr)

    assert [form(n) for n in (0, 1, 2, 3, 11, 100)] == [0, 1, 2, 3, 4, 5]


def test_plurals_of_a_sites_words(tmp_path: Path) -> None:
    words = {("%(num)s thing", "%(num)s things"): ("%(num)s Ding", "%(num)s Dinge")}
    make_catalogue(tmp_path, "de", words)
    found = find_catalogue(["de"], [tmp_path / "translations"])

    assert found.find_plural("%(num)s thing", "%(num)s things", 1) == "%(num)s Ding"
    assert found.find_plural("%(num)s thing", "%(num)s things", 2) == "%(num)s Dinge"
    assert found.find_plural("a mouse", "mice", 2) is None


def test_unknown_languages_are_english() -> None:
    assert find_catalogue(["xx", "it-CH"]).tag == "en"
    assert find_catalogue(["xx", "de-AT"]).tag == "de"
    assert find_catalogue(["fr_CA"]).tag == "fr"


def test_numbers_are_plain_where_nobody_knows_better() -> None:
    english, german = (Language(find_catalogue([tag])) for tag in ("en", "de"))

    assert english.say("The message is too long: %(length)s characters of %(limit)s.", length=1234,
                       limit=1000).endswith("1,234 characters of 1,000.")  # fmt: skip
    assert german.number(1234) == "1234"
    assert Language(find_catalogue(["de"]), Locale("de")).number(1234) == "1.234"


class _Texts(HTMLParser):
    """Everything in a page that people read or are read to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        is_hidden = values.get("type") == "hidden"
        self.found += [v for k, v in attrs if k in SPOKEN and v and not is_hidden]
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._inside):
            self.found.append(data)


def _unsaid(html: str) -> Iterator[str]:
    """What stands outside of the brackets that the catalogue puts around every message."""

    texts = _Texts()
    texts.feed(html)

    for text in texts.found:
        rest = NOT_OURS.sub("", re.sub(r"⟦[^⟧]*⟧", "", re.sub(r"⟦[^⟦⟧]*⟧", "", text)))

        if re.search(r"[^\W\d_]", rest):
            yield text.strip()


def test_no_word_of_a_page_is_without_translation(tmp_path: Path) -> None:
    """In a language that puts every message into brackets, nothing of ours stands outside."""

    bracketed = {str(m.id): f"⟦{m.id}⟧" for m in find_messages() if m.id}
    make_catalogue(tmp_path, "en_XA", bracketed)

    def prepare(app: Flask) -> None:
        app.root_path = str(tmp_path)
        add_pages(app)

    settings = {"CHATSTREAM_LANGUAGE": "en-XA", "CHATSTREAM_SUGGESTIONS": ["Hello?"]}

    with open_host(tmp_path, prepare, **settings) as host:
        seen = Uses(host).run()

    assert all("⟦" in html for html in seen.values())
    assert {(where, text) for where, html in seen.items() for text in _unsaid(html)} == set()
