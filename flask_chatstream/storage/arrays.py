"""Arrays as PostgreSQL writes them: the driver takes several times as long over a list."""

from __future__ import annotations

from collections.abc import Iterable


def int_array(values: Iterable[int]) -> str:
    """An array of numbers, to be cast to its type in the statement."""

    return "{" + ",".join(map(str, values)) + "}"


def text_array(values: Iterable[str]) -> str:
    """An array of texts, none of them NULL."""

    quoted = [value.replace("\\", r"\\").replace('"', r"\"") for value in values]

    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"
