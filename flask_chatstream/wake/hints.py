"""What hints say, and how they are written on the bus; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

#: Most conversations of one message: PostgreSQL takes 7,999 bytes, and an id has 32.
MOST = 200


@dataclass(frozen=True, slots=True)
class Hint:
    """Where something was committed, by the ids of conversations."""

    #: Text was added.
    text: frozenset[str] = frozenset()
    #: Anything else has changed: a question, an end, a title, a deletion.
    changed: frozenset[str] = frozenset()
    #: Somebody's followers were sent away.
    revoked: bool = False


class Message(msgspec.Struct, omit_defaults=True, frozen=True):
    """One message: hints, or a number that its own sender waits for."""

    sender: str
    text: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    revoked: bool = False
    proof: int = 0

    @property
    def hint(self) -> Hint:
        """What it says to others."""

        return Hint(frozenset(self.text), frozenset(self.changed), self.revoked)


def encode_hint(sender: str, hint: Hint) -> Iterator[str]:
    """The messages that carry a hint."""

    # What has changed is read whole, its text included.
    ids = [*((id, True) for id in hint.changed), *((id, False) for id in hint.text - hint.changed)]
    rest = iter(ids)
    is_revoked = hint.revoked

    while (part := list(islice(rest, MOST))) or is_revoked:
        yield _encode(
            Message(
                sender,
                text=tuple(id for id, is_change in part if not is_change),
                changed=tuple(id for id, is_change in part if is_change),
                revoked=is_revoked,
            )
        )
        is_revoked = False


def encode_proof(sender: str, number: int) -> str:
    """The message by which a sender finds out whether it hears itself."""

    return _encode(Message(sender, proof=number))


def decode_message(text: str) -> Message | None:
    """A message from the bus; None for what is none, e.g. another release's."""

    try:
        return msgspec.json.decode(text, type=Message)
    except msgspec.DecodeError:
        return None


def _encode(message: Message) -> str:
    return msgspec.json.encode(message).decode()
