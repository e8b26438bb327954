"""A viewer who is sent text by whoever commits it: one frame for all, and only while it sleeps."""

from __future__ import annotations

from flask_chatstream.following import End, Live, Tail, Topic


class Wire:
    """A line whose client takes so many bytes before it is full."""

    is_open = True

    def __init__(self, room: int = 1000):
        self.room = room
        self.sent = b""
        self.rest = b""

    def frame(self, data: bytes) -> bytes:
        return b"<%b>" % data

    def send(self, frame: bytes) -> bool:
        taken, self.rest = frame[: self.room], frame[self.room :]
        self.sent += taken
        self.room -= len(taken)

        return not self.rest

    def flush(self) -> None:
        self.sent += self.rest
        self.rest = b""


class Encoder:
    """Counts how often a piece is encoded."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, str]] = []

    def __call__(self, position: int, text: str) -> bytes:
        self.pieces.append((position, text))

        return b"%d:%b" % (position, text.encode())


def make_live() -> Live:
    return Live(1, "m", "c", 0, Topic("c"))


def lie_down(live: Live, wire: Wire, encode: Encoder) -> Tail:
    tail = Tail(wire, encode)
    live.topic.add(tail)
    tail.mark()
    assert live.send_to(tail, live.length)

    return tail


def test_a_piece_is_encoded_once_for_everybody() -> None:
    live, encode = make_live(), Encoder()
    wires = [Wire() for _ in range(3)]
    tails = [lie_down(live, wire, encode) for wire in wires]
    live.publish(0, "one")
    live.publish(0, "one, two")

    assert encode.pieces == [(0, "one"), (3, ", two")]
    assert [wire.sent for wire in wires] == [b"<0:one><3:, two>"] * 3
    assert [tail.position for tail in tails] == [8] * 3


def test_who_is_behind_is_not_sent_to() -> None:
    live, tail = make_live(), Tail(Wire(), Encoder())
    live.publish(0, "one")
    tail.mark()

    assert not live.send_to(tail, 0)
    assert live.send_to(tail, 3)


def test_after_the_end_nobody_lies_down() -> None:
    live, tail = make_live(), Tail(Wire(), Encoder())
    live.finish(End("completed"))
    tail.mark()

    assert not live.send_to(tail, 0)


def test_whatever_is_not_text_ends_it_before_the_next_piece() -> None:
    for change in (
        lambda live: live.topic.beat(),
        lambda live: live.topic.change(),
        lambda live: live.wake(),
    ):
        live, wire = make_live(), Wire()
        tail = lie_down(live, wire, Encoder())
        change(live)
        live.publish(0, "one")
        tail.sleep(20)

        assert (wire.sent, tail.position) == (b"", 0)


def test_a_change_before_lying_down_is_not_slept_through() -> None:
    live, tail = make_live(), Tail(Wire(), Encoder())
    live.topic.add(tail)
    tail.mark()
    live.topic.beat()

    assert not live.send_to(tail, 0)


def test_text_alone_wakes_nobody() -> None:
    live = make_live()
    tail = lie_down(live, Wire(), Encoder())
    live.publish(0, "one")
    tail.sleep(0)

    assert tail.position == 3


def test_who_is_full_gets_the_rest_by_its_own_hand_and_nothing_between() -> None:
    live, full, other = make_live(), Wire(room=4), Wire()
    tail, _ = lie_down(live, full, Encoder()), lie_down(live, other, Encoder())
    live.publish(0, "one")
    live.publish(3, "two")
    tail.sleep(20)

    assert (full.sent, tail.position) == (b"<0:one>", 3)
    assert other.sent == b"<0:one><3:two>"
    assert live.read(tail.position) == "two"


def test_a_frame_is_shared_by_those_who_fetch_it() -> None:
    live, encode = make_live(), Encoder()
    live.publish(0, "one")
    first = live.frame(0, encode)
    assert first is not None and first is live.frame(0, encode)
    live.publish(3, "two")
    whole = live.frame(0, encode)

    assert (first.data, whole and whole.data, live.frame(6, encode)) == (
        b"0:one",
        b"0:onetwo",
        None,
    )
    assert encode.pieces == [(0, "one"), (0, "onetwo")]
