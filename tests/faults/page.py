"""What a browser's page makes of the fragments: messages, their blocks and states."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_MESSAGE = re.compile(r"cs-m([0-9a-f]{32})")
_BLOCK = re.compile(r"cs-m([0-9a-f]{32})-b(\d+)")
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass
class Shown:
    """One message on the page."""

    status: str = ""
    role: str = ""
    blocks: dict[int, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text of its blocks in their order."""

        return "\n".join(self.blocks[n] for n in sorted(self.blocks))


class Page:
    """Messages by id, patched by fragments as the script does it: known ids are replaced."""

    def __init__(self) -> None:
        self.messages: dict[str, Shown] = {}
        self.cursor = ""

    def apply(self, html: str) -> None:
        """Take in a page or fragments of one."""

        parser = _Parser(self)
        parser.feed(html)
        parser.close()


class _Parser(HTMLParser):
    def __init__(self, page: Page):
        super().__init__()
        self._page = page
        self._open: list[tuple[str, int] | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._page.cursor = values.get("data-cursor") or self._page.cursor
        block = None

        if tag == "article":
            self._message(values)
        elif "data-remove" in values:
            self._page.messages.pop(_id(values), None)
        elif match := _BLOCK.fullmatch(values.get("id") or ""):
            block = (match[1], int(match[2]))
            self._page.messages.setdefault(block[0], Shown()).blocks[block[1]] = ""
        elif tag != "button":
            block = self._open[-1] if self._open else None

        if tag not in _VOID:
            self._open.append(block)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1]:
            id, n = self._open[-1]
            self._page.messages[id].blocks[n] += data

    def _message(self, values: dict[str, str | None]) -> None:
        known = self._page.messages.get(_id(values), Shown())
        blocks = known.blocks if "data-attrs" in values else {}
        status, role = values.get("data-status") or "", values.get("data-role") or ""
        self._page.messages[_id(values)] = Shown(status, role, blocks)


def _id(values: dict[str, str | None]) -> str:
    match = _MESSAGE.fullmatch(values.get("id") or "")

    return match[1] if match else ""
