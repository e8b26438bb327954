"""The chat's words in other languages: gettext catalogues, a site's own in front of ours.

Words are written in English, which needs no catalogue. A catalogue is the file
``<folder>/<language>/LC_MESSAGES/chatstream.mo``, compiled from the ``.po`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

DOMAIN = "chatstream"
FOLDER = Path(__file__).parent / "translations"
ENGLISH = "en"
_FROM_RIGHT_TO_LEFT = {"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The words of one language, which ``tag`` names as HTML does (``pt-BR``)."""

    tag: str
    _words: NullTranslations = field(repr=False)

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``, as HTML's ``dir`` has it."""

        return "rtl" if self.tag.partition("-")[0] in _FROM_RIGHT_TO_LEFT else "ltr"

    def find(self, message: str) -> str | None:
        """The words for a message; None for one that is not there."""

        # The empty message is the catalogue's own header.
        return (self._words.gettext(message) or None) if message else None

    def find_plural(self, singular: str, plural: str, n: int) -> str | None:
        """The words for ``n`` of something; None for a message that is not there."""

        return self._words.ngettext(singular, plural, n) or None


class _Nothing(NullTranslations):
    """Knows no message."""

    def gettext(self, message: str) -> str:
        return ""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return ""


def find_catalogue(tags: Sequence[str], folders: Sequence[Path] = ()) -> Catalogue:
    """The catalogue of the first language that there is, by ``folders`` and then by ours.

    What is missing in ``de-CH`` is looked up in ``de``. Without any it is English.
    """

    return next((c for tag in tags if (c := load(tag, tuple(folders)))), _english(tuple(folders)))


def find_tags(folders: Sequence[Path] = ()) -> list[str]:
    """The languages that there are, English first."""

    found = {
        path.parents[1].name.replace("_", "-")
        for folder in (*folders, FOLDER)
        for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")
    }

    return [ENGLISH, *sorted(found - {ENGLISH})]


@cache
def load(tag: str, folders: tuple[Path, ...]) -> Catalogue | None:
    """The catalogue of a language, read once in a process; None when there is none."""

    files = list(_files(tag, folders))

    if not files:
        return _english(folders) if _parts(tag)[0] == ENGLISH else None

    return Catalogue(_name(files[0]), _read(files))


@cache
def _english(folders: tuple[Path, ...]) -> Catalogue:
    return Catalogue(ENGLISH, _read(list(_files(ENGLISH, folders))))


def _read(files: Sequence[Path]) -> NullTranslations:
    words: NullTranslations = _Nothing()

    for path in reversed(files):
        with path.open("rb") as file:
            over = GNUTranslations(file)

        over.add_fallback(words)
        words = over

    return words


def _files(tag: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    """The catalogues that apply, the nearest first."""

    parts = _parts(tag)

    for length in range(len(parts), 0, -1):
        for folder in (*folders, FOLDER):
            path = folder / "_".join(parts[:length]) / "LC_MESSAGES" / f"{DOMAIN}.mo"

            if path.is_file():
                yield path


def _name(path: Path) -> str:
    return path.parents[1].name.replace("_", "-")


def _parts(tag: str) -> list[str]:
    """A tag's parts, written as the folders are: ``zh_Hant_TW``."""

    language, *rest = tag.replace("_", "-").split("-")
    shapes = {2: str.upper, 4: str.title}

    return [language.lower(), *(shapes.get(len(part), str)(part) for part in rest)]
