"""What happens to an owner as a whole: a log-in, a log-out, the end of an account."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, after_this_request, has_request_context

from .access import (
    OwnerLoader,
    find_owner,
    follow_logins,
    keep_owner,
    load_owner,
    owner_of,
    read_cookie,
    retire_cookie,
)
from .conversations import (
    Deleted,
    Place,
    check_name,
    delete_counted,
    delete_remains,
    is_claimed,
    list_places,
    move_owner,
)
from .errors import ChatStreamError, NotFound
from .state import State

logger = logging.getLogger(__name__)

#: How many conversations are looked up at once.
BATCH = 100


def get_owner(state: State, loader: OwnerLoader | None) -> str:
    """The owner of this request; raises `SignInRequired` when there is none.

    A visitor whose chats were claimed is a new one. Raises `SchemaError` and `StorageUnavailable`.
    """

    return load_owner(state.settings, loader, partial(_is_claimed, state))


def _is_claimed(state: State, visitor: str) -> bool:
    state.ready()

    with state.database.read() as session:
        return is_claimed(session, visitor)


def claim(state: State, owner: str) -> int:
    """Give the chats of this request's anonymous visitor to an owner; how many there were.

    The browser loses the anonymous id with the response to this request.
    """

    anonymous = read_cookie()

    if anonymous is None:
        return 0

    count = move(state, anonymous, owner)
    retire_cookie()
    after_this_request(keep_owner)

    return count


def move(state: State, old: str, new: str) -> int:
    """Give all chats of one owner to another, in one transaction; how many there were."""

    check_name("An owner", new, 255)

    if old == new:
        return 0

    runtime = state.ready()
    ids = state.database.write(move_owner, old, new)

    for id in ids:
        runtime.follow.changed(id)

    return len(ids)


def revoke(state: State, owner: str) -> None:
    """End all event streams of an owner, here at once and elsewhere within seconds."""

    state.ready().revocations.revoke(owner)


def delete(
    state: State, owner: str, progress: Callable[[Deleted], object] | None = None
) -> Deleted:
    """Remove an owner's chats of all mounts, each in a transaction of its own."""

    state.ready()
    total = Deleted()

    while places := _places(state, owner):
        for place in places:
            total += _delete(state, owner, place)

            if progress is not None:
                progress(total)

    state.database.write(delete_remains, owner)

    return total


def _places(state: State, owner: str) -> list[Place]:
    with state.database.read() as session:
        return list_places(session, owner, BATCH)


def _delete(state: State, owner: str, place: Place) -> Deleted:
    try:
        deleted, active = state.database.write(delete_counted, owner, place)
    except NotFound:
        return Deleted()

    state.runtime.deleted(place.id, active)

    return deleted


def follow_users(state: State) -> None:
    """Hear of Flask-Login's log-ins and log-outs, once the site has set it up."""

    if not state.follows_users:
        state.follows_users = follow_logins(state.app, _logged_in, _logged_out)


def _logged_in(app: Flask, user: Any, **extra: Any) -> None:
    state: State = app.extensions["chatstream"]

    if not state.settings.claim_on_login or not has_request_context():
        return

    hook = next(iter(state.mounts.values())).owner_hook
    owner = find_owner(hook)

    if owner is None:
        return

    # A log-in does not fail for the chat's sake; the cookie stays, and the next one claims.
    try:
        claim(state, owner)
    except ChatStreamError:
        logger.exception("The chats of a visitor who has signed in could not be claimed.")


def _logged_out(app: Flask, user: Any, **extra: Any) -> None:
    state: State = app.extensions["chatstream"]

    try:
        for owner in _owners_of(state, user):
            revoke(state, owner)
    except Exception:
        logger.exception("The event streams of a visitor who has signed out could not be ended.")


def _owners_of(state: State, user: Any) -> set[str]:
    """The names under which a user who signs out has chats."""

    if user is None or not user.is_authenticated:
        return set()

    hooks = {mount.owner_hook for mount in state.mounts.values()}
    found = {owner_of(user) if hook is None else find_owner(hook) for hook in hooks}

    return {owner for owner in found if owner}
