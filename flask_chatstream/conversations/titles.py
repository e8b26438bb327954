"""A conversation's title from the first words of its question."""

from __future__ import annotations

LENGTH = 60


def title_from(question: str) -> str:
    """The first words of a question, cut at a word and never longer than `LENGTH`."""

    words = " ".join(question.split())

    if len(words) <= LENGTH:
        return words

    head = words[: LENGTH - 1]
    cut = head.rsplit(" ", 1)[0] if " " in head[LENGTH // 2 :] else head

    return cut.rstrip(" ,;:.-") + "…"
