"""Text that every database and wire can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_chatstream.cleaning import Cleaner, clean

ANY_TEXT = st.text(
    alphabet=st.one_of(
        st.characters(), st.characters(categories=["Cs"]), st.sampled_from("\0a\ud83d\ude00")
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("plain", "plain"),
        ("ü😀\u2028\ufffd", "ü😀\u2028\ufffd"),
        ("a\0b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("\ud83dx", "\ufffdx"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
    ],
)
def test_what_cannot_be_stored_is_replaced(text: str, wanted: str) -> None:
    assert clean(text) == wanted


@given(ANY_TEXT)
def test_clean_text_is_storable_and_stays(text: str) -> None:
    cleaned = clean(text)

    assert "\0" not in cleaned.encode("utf-8").decode("utf-8")
    assert clean(cleaned) == cleaned


@given(st.lists(ANY_TEXT, max_size=6))
def test_pieces_are_cleaned_like_the_whole(pieces: list[str]) -> None:
    cleaner = Cleaner()
    given_out = [cleaner.feed(piece) for piece in pieces] + [cleaner.close()]

    assert "".join(given_out) == clean("".join(pieces))
    assert cleaner.close() == ""
