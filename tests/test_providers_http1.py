"""Reading HTTP/1.1 responses that come cut anywhere."""

from __future__ import annotations

from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_chatstream.providers.http1 import (
    MAX_HEAD,
    Chunked,
    Counted,
    Head,
    HeadReader,
    ProtocolError,
    UntilClosed,
    make_body,
    parse_head,
)


def read(*pieces: bytes) -> tuple[Head, bytes, bool]:
    """A whole response: its head, its body, and whether the body came to its end."""

    reader, body, out = HeadReader(), None, b""
    head: Head | None = None

    for piece in pieces:
        if body is None:
            head = reader.feed(piece)
            if head is None:
                continue
            body, piece = make_body(head), reader.rest

        if piece and not body.complete:
            out += body.feed(piece)

    assert head is not None and body is not None

    return head, out, body.complete


def read_by_h11(data: bytes) -> tuple[int, bytes]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body = 0, b""

    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return status, body


CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX-Empty:\r\nX-Obs: \xe9\r\n\r\n"
    b'5\r\nhello\r\nA;name=value;other="x"\r\n0123456789\r\n01 \t\r\n\r\r\n'
    b"0\r\nTrailer: yes\r\nAnother: 1\r\n\r\n"
)
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\ncontent-length: 5\r\n\r\nhello"
CLOSED = b"HTTP/1.0 200\r\nServer: old\r\n\r\nuntil the end"


@pytest.mark.parametrize("data", [CHUNKED, COUNTED, CLOSED])
def test_a_response_reads_alike_at_any_cut(data: bytes) -> None:
    wanted = read(data)

    assert read(*(bytes([b]) for b in data)) == wanted
    for cut in range(len(data)):
        assert read(data[:cut], data[cut:]) == wanted
    if data is not COUNTED:
        assert (wanted[0].status, wanted[1]) == read_by_h11(data)


def test_what_the_responses_hold() -> None:
    head, body, complete = read(CHUNKED)
    assert (head.status, body, complete) == (200, b"hello0123456789\r", True)
    assert (b"X-Empty", b"") in head.headers and (b"X-Obs", b"\xe9") in head.headers

    assert read(COUNTED)[1:] == (b"hello", True)
    assert read(CLOSED)[1:] == (b"until the end", False)
    assert read(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n")[1:] == (b"", True)


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_chunks_read_like_h11_reads_them(chunks: list[bytes], cuts: Any) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"".join(b"%X\r\n%b\r\n" % (len(c), c) for c in chunks if c) + b"0\r\n\r\n"
    cut = cuts.draw(st.integers(0, len(data)))

    assert read(data[:cut], data[cut:])[1] == read_by_h11(data)[1] == b"".join(chunks)


def test_data_is_given_out_before_its_chunk_is_whole() -> None:
    body = Chunked()

    assert body.feed(b"A\r\nhel") == b"hel"
    assert body.feed(b"lo") == b"lo"
    assert body.feed(b"12345") == b"12345"
    assert not body.complete
    assert body.feed(b"\r\n0\r\n\r\n") == b""
    assert body.complete


@pytest.mark.parametrize(
    "top",
    [
        b"",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 999 OK",
        b"<html>",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\n folded: x",
        b"HTTP/1.1 200 OK\r\nspace : x",
        b"HTTP/1.1 200 OK\r\n: x",
        b"HTTP/1.1 200 OK\r\nx: a\nb: c",
        b"HTTP/1.1 200 OK\r\nx: a\0",
    ],
)
def test_a_head_that_is_none(top: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_head(top)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"Content-Length", b"5"), (b"Content-Length", b"6")],
        [(b"Content-Length", b"-1")],
        [(b"Content-Length", b"+5")],
        [(b"Content-Length", b"0x5")],
        [(b"Content-Length", b"9" * 20)],
    ],
)
def test_a_framing_that_is_ambiguous(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ProtocolError):
        make_body(Head(200, headers))


def test_chunked_wins_over_a_length() -> None:
    headers = [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]

    assert isinstance(make_body(Head(200, headers)), Chunked)


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\nhello",
        b"-5\r\nhello",
        b"0x5\r\nhello",
        b"1_0\r\n" + b"x" * 16,
        b" 5\r\nhello",
        b"5\nhello\n",
        b"5\r\nhelloworld\r\n",
        b"1" * 16 + b"\r\n",
        b"5;" + b"x" * 5000,
        b"5\r\nhello\r\n" + b"f" * 5000,
        b"0\r\n" + b"T: x\r\n" * 5000,
    ],
)
def test_chunks_that_are_none(data: bytes) -> None:
    body = Chunked()

    with pytest.raises(ProtocolError):
        body.feed(data)
        body.feed(b"\r\n0\r\n\r\n")


def test_a_head_without_end_is_given_up() -> None:
    reader = HeadReader()
    line = b"X-Long: " + b"x" * 1000 + b"\r\n"
    reader.feed(b"HTTP/1.1 200 OK\r\n")

    with pytest.raises(ProtocolError):
        for _ in range(MAX_HEAD // 1000 + 2):
            reader.feed(line)


def test_an_unasked_switch_of_protocols_is_refused() -> None:
    with pytest.raises(ProtocolError):
        HeadReader().feed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")


def test_a_peer_that_leaves_early_is_noticed() -> None:
    for body, data in ((Counted(5), b"hell"), (Chunked(), b"5\r\nhello\r\n"), (Chunked(), b"")):
        body.feed(data)
        with pytest.raises(ProtocolError):
            body.end()

    closed = UntilClosed()
    closed.feed(b"hello")
    closed.end()
    assert closed.complete


def test_a_large_chunk_in_small_pieces_is_not_gathered() -> None:
    body = Chunked()
    body.feed(b"%x\r\n" % 20_000_000)

    for _ in range(20_000):
        assert len(body.feed(b"x" * 1000)) == 1000
    assert body._partial == b""
