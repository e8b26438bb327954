"""Text as every database and wire can hold it, whatever pieces it comes in (L9)."""

from __future__ import annotations

import re

_BAD = re.compile("[\0\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_REPLACEMENT = "\ufffd"


def clean(text: str) -> str:
    """Text without NUL and lone surrogates, which become U+FFFD; paired ones are joined."""

    if _BAD.search(text) is None:
        return text

    return _BAD.sub(_REPLACEMENT, _PAIR.sub(_join, text))


def _join(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


class Cleaner:
    """`clean` over the pieces of one text: a pair that is split over two pieces is joined."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """The clean text that is certain so far; empty when all of it has to wait."""

        if self._half:
            text, self._half = self._half + text, ""
        elif text.isascii() and "\0" not in text:
            return text

        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]

        return clean(text)

    def close(self) -> str:
        """What was held back, at the end of the text."""

        half, self._half = self._half, ""

        return _REPLACEMENT if half else ""
