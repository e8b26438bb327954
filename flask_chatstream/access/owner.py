"""Who asks: the site's own word, Flask-Login's user, or an anonymous visitor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from flask import current_app

from flask_chatstream.config import Settings
from flask_chatstream.errors import N_, InvalidRequest, SignInRequired

from .cookie import mint, read_cookie
from .values import request_values

#: Says whose chats a request's are. A whole number stands for its digits.
OwnerLoader = Callable[[], str | int | None]


def load_owner(
    settings: Settings, loader: OwnerLoader | None, is_claimed: Callable[[str], bool]
) -> str:
    """The owner of this request; a new anonymous one is minted when the site allows it.

    A loader is asked once; chats with other loaders may have another owner. ``is_claimed`` says of
    an anonymous one that its chats went to an account: that id is nobody's any more. Raises
    `SignInRequired` when there is none.
    """

    owners: dict[OwnerLoader | None, str] = request_values().setdefault("owners", {})

    if loader not in owners:
        owners[loader] = _load_owner(settings, loader, is_claimed)

    return owners[loader]


def _load_owner(
    settings: Settings, loader: OwnerLoader | None, is_claimed: Callable[[str], bool]
) -> str:
    owner = find_owner(loader)

    if owner is not None:
        return owner

    if settings.anonymous != "allowed":
        raise SignInRequired(N_("Please sign in to chat."))

    visitor = read_cookie()

    return mint() if visitor is None or is_claimed(visitor) else visitor


def find_owner(loader: OwnerLoader | None) -> str | None:
    """Who is signed in, by the site's own loader or by Flask-Login; None for nobody.

    Raises `InvalidRequest` when the loader wants another CSRF token than the page has, and
    `TypeError` for what has no name of its own: with ``str()`` of a user object, the chats would be
    another's tomorrow.
    """

    try:
        owner = loader() if loader is not None else login_owner()
    except _token_errors() as error:
        words = N_("This page has been open for long. Please send it again.")
        raise InvalidRequest(words, code="csrf") from error

    if not owner:
        return None

    if owner is True or not isinstance(owner, str | int):
        raise TypeError(
            f"owner_loader returned {type(owner).__name__}; it returns a string that stays the "
            "same, such as a user's primary key, or None for nobody."
        )

    return str(owner)


def _token_errors() -> tuple[type[Exception], ...]:
    """What a web token in a cookie raises whose CSRF value is not the one that was sent.

    Flask-JWT-Extended answers 401, as if nobody were signed in; but the token was only exchanged.
    """

    module = sys.modules.get("flask_jwt_extended.exceptions")

    return () if module is None else (module.CSRFError,)


def login_owner() -> str | None:
    """Flask-Login's user: ``"<table>:<primary key>"`` when it is mapped, else its ``get_id()``.

    ``get_id()`` alone would lose the chats of sites whose ids rotate (Flask-Security).
    """

    if "flask_login" not in sys.modules or not hasattr(current_app, "login_manager"):
        return None

    from flask_login import current_user

    if not current_user or not current_user.is_authenticated:
        return None

    return owner_of(current_user._get_current_object())


def owner_of(user: Any) -> str | None:
    """The owner's name of a user object, as it is by default."""

    return _mapped_key(user) or user.get_id()


def _mapped_key(user: Any) -> str | None:
    from sqlalchemy import inspect
    from sqlalchemy.exc import NoInspectionAvailable
    from sqlalchemy.orm.state import InstanceState

    try:
        state = inspect(user)
    except NoInspectionAvailable:
        return None

    if not isinstance(state, InstanceState) or not state.identity:
        return None

    table = state.mapper.base_mapper.local_table

    return f"{getattr(table, 'name', 'user')}:{':'.join(map(str, state.identity))}"
