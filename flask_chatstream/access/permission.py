"""What a site may allow or refuse: the acts, and its own rule about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from flask_chatstream.errors import N_, Refused

#: What a person does with the chat. ``stop``, ``regenerate`` and ``continue`` are of a message,
#: ``read`` of a conversation or a message, ``list`` of nothing, the others of a conversation.
Act = Literal["ask", "continue", "delete", "list", "read", "regenerate", "rename", "stop"]
ACTS: frozenset[str] = frozenset(get_args(Act))

#: Says whether an owner may do something: ``hook(act, owner, object)``.
Authorizer = Callable[[str, str, str | None], bool]


def is_allowed(hook: Authorizer | None, act: Act, owner: str, object: str | None) -> bool:
    """Whether the site's own rule, if it has one, admits an act."""

    return hook is None or bool(hook(act, owner, object))


def refuse_act() -> Refused:
    """The error for an act that the site's rule does not admit."""

    return Refused(N_("You may not do this here."), code="not_allowed")
