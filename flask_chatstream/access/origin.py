"""Whether a request may change anything (S10), whatever CSRF protection the host has besides."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from flask_chatstream.config import Settings
from flask_chatstream.errors import N_, Refused

PORTS = {"http": 80, "https": 443}


def check_origin(settings: Settings) -> None:
    """Raises `Refused` for a state-changing request that another site made.

    Browsers say so in ``Sec-Fetch-Site`` (W3C Fetch Metadata), which they alone can know; older
    ones, and all of them where the page is not encrypted, in ``Origin`` (Fetch Standard).
    A client that is no browser sends neither and carries no cookie that it was not given.
    """

    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return

    origin = request.headers.get("Origin")

    if origin is not None and origin in (settings.cors_origins or ()):
        return

    site = request.headers.get("Sec-Fetch-Site")

    if site is not None:
        is_own = site in {"same-origin", "none"}
    else:
        is_own = origin is None or _is_own(origin)

    if not is_own:
        raise Refused(N_("This request came from another site."), code="cross_site")


def _is_own(origin: str) -> bool:
    """Whether an origin is the one that was asked: host, port, and the scheme as far as known.

    Where we see http, a proxy may have ended TLS without a word (no `ProxyFix`), and the browser is
    right with https. The other way round nobody is: an encrypted site's plain twin, which anyone on
    the way can write, is another site.
    """

    try:
        theirs = urlsplit(origin)
        ours = urlsplit(f"//{request.host}")
        port = PORTS[theirs.scheme]
        is_same = (theirs.hostname, theirs.port or port) == (ours.hostname, ours.port or port)
    except (KeyError, ValueError):  # "null", an extension's, or no origin at all
        return False

    return is_same and not (request.is_secure and theirs.scheme == "http")
