"""Where a visitor signs in: the site's own address, else the one that Flask-Login knows."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_chatstream.config import Settings


def find_sign_in(settings: Settings) -> str | None:
    """The address at which a visitor signs in and comes back from (``next``); None if unknown."""

    place = settings.login_url or _login_view()

    if place is None:
        return None

    is_address = place.startswith(("/", "http://", "https://"))
    parts = urlsplit(place if is_address else url_for(place))
    query = f"{parts.query}&" if parts.query else ""

    return urlunsplit(parts._replace(query=query + urlencode({"next": come_back()})))


def come_back() -> str:
    """The page on which the visitor is, as a path of this site.

    A fragment was asked for by the page that stands in ``HX-Current-URL`` or ``Referer``, and what
    is posted is no page.
    """

    is_part = request.method not in {"GET", "HEAD"} or "view" in request.args
    is_part = is_part or "HX-Request" in request.headers

    if not is_part:
        return _path(request.url)

    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""

    return _path(page) if _is_own(page) else url_for(".index")


def _is_own(page: str) -> bool:
    try:
        return urlsplit(page).netloc == request.host
    except ValueError:  # not an address at all
        return False


def _path(url: str) -> str:
    # Two slashes in front would be another site's address.
    path = urlsplit(url)._replace(scheme="", netloc="", fragment="")

    return f"/{urlunsplit(path).lstrip('/')}"


def lead_to_sign_in(settings: Settings) -> ResponseReturnValue | None:
    """The answer to a page that needs somebody: the way to the log-in; None if none is known.

    Where Flask-Login knows it, it answers in its own way, which a site may have changed.
    """

    manager = _manager()

    if settings.login_url is None and manager is not None and _is_set_up(manager):
        answer: ResponseReturnValue = manager.unauthorized()

        return answer

    address = find_sign_in(settings)

    return None if address is None else redirect(address)


def _manager() -> Any:
    if "flask_login" not in sys.modules:
        return None

    return getattr(current_app, "login_manager", None)


def _is_set_up(manager: Any) -> bool:
    return bool(manager.unauthorized_callback or _view_of(manager))


def _login_view() -> str | None:
    manager = _manager()

    return _view_of(manager) if manager is not None else None


def _view_of(manager: Any) -> str | None:
    view: str | None = manager.blueprint_login_views.get(request.blueprint) or manager.login_view

    return view
