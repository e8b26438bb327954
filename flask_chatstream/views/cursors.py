"""What a viewer of a conversation has, as one opaque text that it sends along.

A cursor is the conversation's version, and the position in the answer that is being written.
Anything odd in one means "send it whole".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask_chatstream.following import Mark

NOTHING = Mark()
_CURSOR = re.compile(
    r"(?P<version>\d{1,18})(?:\.(?P<message>[0-9a-f]{32})\.(?P<mark>\d{1,9}\.\d{1,9}\.\d{1,9}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a viewer has of a conversation; ``mark`` is of the answer that is being written."""

    version: int = 0
    message_id: str | None = None
    mark: Mark = NOTHING

    def encode(self) -> str:
        """The cursor as text for a URL or an event's id."""

        if self.message_id is None:
            return str(self.version)

        return f"{self.version}.{self.message_id}.{'.'.join(map(str, self.mark))}"

    def trusted(self, version: int) -> Cursor:
        """The cursor, or the empty one when a conversation has not had its version yet."""

        return self if self.version <= version else Cursor()


def decode_cursor(text: str | None) -> Cursor:
    """The cursor that a viewer sent; the empty one when it is none of ours."""

    match = _CURSOR.fullmatch(text or "")

    if match is None:
        return Cursor()

    mark = Mark(*map(int, match["mark"].split("."))) if match["mark"] else NOTHING

    return Cursor(int(match["version"]), match["message"], mark)
