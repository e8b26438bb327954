"""The words of the chat as they stand in templates, Python and the script, and the catalogues.

``python -m tests.messages`` (``make messages``) brings every ``.po`` file up to date: new words
have no translation yet, and words that are gone go.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from flask_chatstream.catalogues import DOMAIN, ENGLISH
from flask_chatstream.views.words import script_words
from tests.services import ROOT

PACKAGE = ROOT / "flask_chatstream"
FOLDER = PACKAGE / "translations"
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
#: Of a header, what says nothing or changes each time.
UNREAD = (
    '"Project-Id-Version', '"Report-Msgid', '"POT-Creation', '"PO-Revision', '"Last-Translator',
    '"Language-Team', '"Generated-By',
)  # fmt: skip
#: Without a marker: in the HTML of answers, and what a site says otherwise by a setting.
ELSEWHERE = {
    "Copy": "rendering/highlight.py",
    "Done": "rendering/markdown.py",
    "To do": "rendering/markdown.py",
    "Chat": "config.py",
}


def find_messages() -> Catalog:
    """Everything that people read."""

    found = Catalog(project="flask_chatstream", fuzzy=False)

    for message, file in sorted(_messages(), key=lambda pair: (str(pair[1]), str(pair[0]))):
        found.add(message, locations=[(file, None)])

    return found


def _messages() -> Iterator[tuple[str | tuple[str, ...], str]]:
    for path in PACKAGE.rglob("*"):
        method = {".py": "python", ".html": "jinja2.ext:babel_extract"}.get(path.suffix)

        if method is not None:
            for _, message, _, _ in extract(method, BytesIO(path.read_bytes()), KEYWORDS):
                yield message, path.relative_to(PACKAGE).as_posix()

    for words in script_words().values():
        yield words, "static/words.js"

    yield from ELSEWHERE.items()


def read_catalogue(path: Path) -> Catalog:
    """A catalogue as it stands in the tree."""

    return read_po(BytesIO(path.read_bytes()), locale=path.parents[1].name)


def update() -> None:
    """Bring all catalogues up to date; English says what stands in the sources."""

    messages = find_messages()

    for path in sorted(FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        catalogue = read_catalogue(path)
        catalogue.update(messages, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()

        if path.parents[1].name == ENGLISH:
            for message in catalogue:
                message.string = message.id

        write(path, catalogue)


def write(path: Path, catalogue: Catalog) -> None:
    """Write a catalogue, its header with no more than what is read."""

    text = BytesIO()
    write_po(text, catalogue, width=100)
    lines = text.getvalue().decode().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(UNREAD)))


if __name__ == "__main__":
    update()
