"""Addresses that stand bare in a text: http, https, mailto, e-mail and ``www.`` (GFM)."""

from __future__ import annotations

import re

from linkify_it import LinkifyIt
from linkify_it.main import Match

_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?![\w@])(?::\d+)?(?:[/?#][^\s<>]*)?", re.IGNORECASE)
_PUNCTUATION_AT_END = re.compile(r"[?!.,:;*_~'\"\])]+\Z")


class Autolinks(LinkifyIt):  # type: ignore[misc]
    """Without bare host names: in an answer, ``main.py`` and ``README.md`` are no addresses."""

    def __init__(self) -> None:
        www = {"validate": self.find_www_end, "normalize": self.complete_www}
        super().__init__(
            schemas={"www.": www, "ftp:": None, "//": None},
            options={"fuzzy_link": False, "fuzzy_email": True, "fuzzy_ip": False},
        )

    def find_www_end(self, text: str, pos: int) -> int:
        """How many characters from ``pos``, just after ``www.``, belong to the address."""
        match = _HOST.match(text, pos)
        return len(_PUNCTUATION_AT_END.sub("", match[0])) if match else 0

    def complete_www(self, match: Match) -> None:
        """Give the address the scheme that it was written without."""
        match.url = f"http://{match.url}"
