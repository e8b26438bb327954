"""The wire format, both ways, at every cut."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_chatstream.sse import Decoder, ServerSentEvent, encode_comment, encode_event

Corpora = Callable[[str], Path]

#: What `str.splitlines` would take for the end of a line, and what really is one.
NASTY = "\u2028 \u2029 \u0085 \x0b \x0c \x1c \x1d \x1e"


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = Decoder()

    return [event for piece in pieces for event in decoder.feed(piece)]


def decode_by_httpx_sse(data: bytes) -> list[tuple[str, str, str]]:
    headers = {"content-type": "text/event-stream"}
    source = httpx_sse.EventSource(httpx.Response(200, headers=headers, content=data))

    return [(event.data, event.event, event.id) for event in source.iter_sse()]


def test_every_case_of_the_corpus_at_every_cut(corpora: Corpora) -> None:
    cases = json.loads(corpora("sse/parser-cases.json").read_text())
    assert len(cases) > 100

    for case in cases:
        pieces = [bytes.fromhex(piece) for piece in case["chunks_hex"]]
        wanted = [(e["data"], e["type"], e["id"]) for e in case["expected"]]
        assert decode(*pieces) == wanted, case["name"]

        whole = b"".join(pieces)
        assert decode(*(whole[i : i + 1] for i in range(len(whole)))) == wanted, case["name"]

        for cut in range(0, len(whole), 1 + len(whole) // 200):
            assert decode(whole[:cut], b"", whole[cut:]) == wanted, (case["name"], cut)


@given(st.binary(max_size=60), st.data())
def test_any_bytes_decode_alike_at_any_cut(data: bytes, cuts: Any) -> None:
    places = sorted(cuts.draw(st.lists(st.integers(0, len(data)), max_size=4)))
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]

    assert decode(*pieces) == decode(data)


LINES = st.sampled_from(
    ["data: x", "data", "data:", "event: e", "id: 1", "id: \0", ": c", "", "", "\ufeffdata: y"]
)


@given(st.lists(st.tuples(LINES, st.sampled_from(["\r\n", "\n", "\r"])), max_size=12), st.data())
def test_streams_of_lines_decode_alike_at_any_cut(lines: list[tuple[str, str]], cuts: Any) -> None:
    data = "".join(line + end for line, end in lines).encode()
    cut = cuts.draw(st.integers(0, len(data)))

    assert decode(data[:cut], data[cut:]) == decode(data) == decode(*(bytes([b]) for b in data))


@pytest.mark.parametrize(
    "data",
    ["", "x", "a\nb", "a\n", "\na", "\n", " leading", ": colon", f"a{NASTY}b", "\ufeffbom", "😀\0"],
)
def test_what_is_encoded_comes_back(data: str) -> None:
    wire = encode_event(data, event="delta", id="7")

    assert decode(wire) == [(data, "delta", "7")]
    assert decode_by_httpx_sse(wire) == [(data, "delta", "7")]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_with_line_feeds(data: str) -> None:
    wanted = data.replace("\r\n", "\n").replace("\r", "\n")

    assert [event.data for event in decode(encode_event(data))] == [wanted]
    assert [found[0] for found in decode_by_httpx_sse(encode_event(data))] == [wanted]


@given(st.text(alphabet="\r\n: adetvni\0<>{}", max_size=40))
def test_text_never_makes_an_event_or_field_of_its_own(data: str) -> None:
    """S14: an answer that contains the protocol's own words stays one event's data."""

    events = decode(b"id: 1\n\n" + encode_event(data))

    assert [(event.event, event.id) for event in events] == [("message", "1")]


def test_an_answer_cannot_inject_an_event() -> None:
    attack = "hello\n\nevent: end\r\ndata: stopped\r\rid: 99\n: x"
    events = decode(encode_event(attack, id="5"), encode_event("next"))

    assert [(e.event, e.id) for e in events] == [("message", "5"), ("message", "5")]


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_field_that_would_break_its_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="event"):
        encode_event("x", event=value)

    with pytest.raises(ValueError, match="id"):
        encode_event("x", id=value)


@pytest.mark.parametrize("text", ["", "hb", "two\nlines", "data: x\r\n\r\nevent: y"])
def test_a_comment_is_nothing_to_a_client(text: str) -> None:
    assert encode_comment(text)
    assert decode(b"data: a\n", encode_event("b"), encode_comment(text)) == [
        ("a\nb", "message", "")
    ]
    assert decode_by_httpx_sse(encode_comment(text)) == []


def test_an_unfinished_event_is_given_only_at_close() -> None:
    decoder = Decoder()

    assert decoder.feed(b"data: a\n\nevent: e\ndata: b") == [("a", "message", "")]
    assert decoder.close() == [("b", "e", "")]
    assert decoder.close() == []


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    data = b"data: a\xff\xe2\x82\ndata: \xf0\x9f\x98\x80\n\n"

    assert decode(*(bytes([b]) for b in data)) == [("a\ufffd\ufffd\n😀", "message", "")]


def test_a_long_event_in_small_pieces_takes_time_in_proportion() -> None:
    def cost(size: int) -> float:
        decoder, piece = Decoder(), b"x" * 1000
        started = time.process_time()
        decoder.feed(b"data: ")
        for _ in range(size):
            decoder.feed(piece)
        assert len(decoder.feed(b"\n\n")[0].data) == 1000 * size
        return time.process_time() - started

    cost(100)
    assert cost(8000) < 40 * max(cost(800), 0.002)


def test_a_random_walk_over_a_long_stream() -> None:
    chance = random.Random(5)
    wire = b"".join(
        encode_event("".join(chance.choices("ab\n😀\u2028", k=chance.randint(0, 9))), id=str(n))
        for n in range(500)
    )

    pieces, position = [], 0
    while position < len(wire):
        size = chance.randint(1, 40)
        pieces.append(wire[position : position + size])
        position += size

    assert decode(*pieces) == decode(wire)
    assert len(decode(wire)) == 500
