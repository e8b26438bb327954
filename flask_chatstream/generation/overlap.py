"""Where a continued answer meets its beginning: what a model repeats of it is left out. Pure."""

from __future__ import annotations

#: Most code points of the beginning's end that are looked for, and that are held back meanwhile.
WINDOW = 1_000
#: An overlap of fewer code points, or fewer different ones, may be chance, and cutting it would
#: lose text: rulers, indentation, table rows and repeated words ("very, very") go on like that.
LEAST_CHARS = 16
LEAST_KINDS = 8


class Overlap:
    """Takes the text that goes on behind ``prefix`` piece by piece, without what repeats its end.

    Models that are to go on often say their last words or lines again. The first characters are
    held back while they may still become such a repetition, which is one at most.
    """

    __slots__ = ("_end", "_held")

    def __init__(self, prefix: str) -> None:
        self._end = prefix[-WINDOW:]
        self._held = ""

    def feed(self, text: str) -> str:
        """What is certain so far to go on behind the prefix."""

        if not self._end:
            return text

        self._held += text

        return "" if self._may_grow() else self.close()

    def close(self) -> str:
        """What was held back, at the end of the text."""

        held, end = self._held, self._end
        self._held = self._end = ""

        return held[_overlap(end, held) :]

    def _may_grow(self) -> bool:
        """Whether an overlap longer than what is held is possible."""

        return self._held in self._end[:-1]


def _overlap(end: str, text: str) -> int:
    """The length of the longest beginning of a text that is the end before it, if that tells."""

    for length in range(min(len(end), len(text)), LEAST_CHARS - 1, -1):
        if end.endswith(text[:length]):
            return length if len(set(text[:length])) >= LEAST_KINDS else 0

    return 0
