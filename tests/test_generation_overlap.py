"""What a model repeats of an answer's beginning is left out where it goes on, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_chatstream.generation.overlap import LEAST_CHARS, WINDOW, Overlap

BEGINNING = "The lighthouse stands on a rock.\n\nIts lamp was lit in 1823, and the keeper"
REPEATED = "was lit in 1823, and the keeper"


def joined(prefix: str, *pieces: str) -> str:
    overlap = Overlap(prefix)

    return "".join([*(overlap.feed(piece) for piece in pieces), overlap.close()])


@pytest.mark.parametrize(
    ("repeated", "rest"),
    [
        (REPEATED, " slept."),
        (BEGINNING, " slept."),
        ("Its lamp was lit in 1823, and the keeper", ""),
        ("", " slept."),
        ("", "Its lamp was lit again."),
        ("", "was lit in 1823, and then it was not."),
    ],
)
def test_a_repetition_is_cut_at_every_cut_of_the_stream(repeated: str, rest: str) -> None:
    text = repeated + rest

    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces = (text[:first], text[first:second], text[second:])
            assert joined(BEGINNING, *pieces) == rest, pieces

    assert joined(BEGINNING, *text) == rest


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("It was very, very", "very, very late."),
        ("| a | b |\n|---|---|\n", "|---|---|\n| 1 | 2 |\n"),
        ("-" * 60, "-" * 20 + "\nNext"),
        ("0, 1, 0, 1, 0, 1, 0, 1, ", "0, 1, 0, 1, 0, 1, 0, 1, 2"),
        ("        return x\n" + " " * 24, " " * 24 + "pass"),
        ("ends with the keeper", "the keeper"),
        ("", "Anything."),
    ],
)
def test_what_may_be_chance_stays(prefix: str, text: str) -> None:
    assert joined(prefix, *text) == text


def test_nothing_is_held_back_longer_than_it_may_be_a_repetition() -> None:
    overlap = Overlap(BEGINNING)

    assert overlap.feed("was lit in 1823, ") == ""
    assert overlap.feed("for the first time") == "was lit in 1823, for the first time"
    assert overlap.feed("was lit") == "was lit"


def test_the_search_is_bounded() -> None:
    prefix = "".join(f"{n} sheep, " for n in range(2 * WINDOW))
    overlap = Overlap(prefix)
    held = 0

    for character in prefix:  # begun anew: no end of its beginning
        if overlap.feed(character):
            break

        held += 1

    assert held < WINDOW
    assert joined(prefix, prefix[-WINDOW:], "done") == "done"


@given(st.text("ab \n", max_size=40), st.lists(st.text("ab \n", max_size=6), max_size=8))
def test_no_cut_changes_what_is_left(prefix: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    left = joined(prefix, *pieces)

    assert left == joined(prefix, text)
    assert left == text  # four kinds of characters are no words


@given(st.text(max_size=40), st.text(max_size=40), st.integers(LEAST_CHARS, 40))
def test_what_is_left_out_stands_at_the_end_of_the_beginning(
    prefix: str, text: str, length: int
) -> None:
    left = joined(prefix, prefix[-length:] + text)
    cut = len(prefix[-length:] + text) - len(left)

    assert (prefix[-length:] + text).endswith(left)
    assert prefix.endswith((prefix[-length:] + text)[:cut])
