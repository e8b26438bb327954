"""What is asked, as values: the turns to be stored, and who is to answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_chatstream.models import new_id


@dataclass(frozen=True, slots=True)
class Turn:
    """One message to be stored before the answer."""

    role: str
    content: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an answer is to be written, as its generation stores it.

    ``runner`` says what it runs in, ``worker`` is the process that is to claim it, ``lease`` its
    first lease in seconds. Of a queue's answer neither process nor lease is known yet.
    """

    runner: str | None = None
    worker: str | None = None
    lease: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, by whom and where.

    ``turns`` are stored one below the other, the last one is the question; without any, the answer
    is a sibling of those under ``parent_id``. ``parent_id`` None means the end of the branch that
    is shown, or with ``from_root`` a new branch from the beginning. ``key`` makes a second submit
    of the same owner a replay. ``title`` and ``model`` are for a new conversation, which is made
    when ``conversation_id`` is None; ``default_model`` answers when neither the ask nor its
    conversation names one. With ``continues`` there are no turns: ``answer_id`` is an answer that
    broke off, and is gone on with. With ``is_watched`` the answer is stopped when nobody watches
    any more.
    """

    owner: str
    mount: str
    turns: tuple[Turn, ...] = ()
    conversation_id: str | None = None
    parent_id: str | None = None
    from_root: bool = False
    key: str | None = None
    answer: bool = True
    answer_id: str = field(default_factory=new_id)
    continues: bool = False
    placement: Placement = Placement()
    is_watched: bool = False
    provider: str | None = None
    model: str | None = None
    default_model: str | None = None
    temperature: float | None = None
    request_id: str | None = None
    title: str | None = None
    details: Mapping[str, Any] | None = None
