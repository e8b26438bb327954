"""The fenced snippets of the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services import ROOT

PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.S | re.M,
)


@dataclass(frozen=True)
class Snippet:
    """One fenced piece; ``reason`` says why it cannot be run, where it cannot."""

    page: Path
    line: int
    language: str
    code: str
    reason: str | None

    @property
    def file(self) -> str | None:
        """The name of the file it is to be written into, when its first line is one."""

        named = re.match(r"(?:#|\{#|<!--) ([\w./-]+\.\w+)(?: #\}| -->)?\n", self.code)

        return named[1] if named else None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def snippets(*languages: str, page: str | None = None) -> list[Snippet]:
    """Those of some languages, all when none is named, in the order of the pages."""

    return [
        snippet
        for path in PAGES
        if page is None or path.name == page
        for snippet in _read(path)
        if not languages or snippet.language in languages
    ]


def _read(path: Path) -> Iterator[Snippet]:
    text = path.read_text()

    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("code"))

        yield Snippet(path, line, found["language"], found["code"], found["reason"])
