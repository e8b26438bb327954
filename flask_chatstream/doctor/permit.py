"""The permit with which the command asks its own site: signed with the site's key, short-lived.

Whoever has none finds nothing at the address.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

HEADER = "X-Chatstream-Doctor"
#: How far a permit's time may be from a worker's clock, in seconds.
SECONDS = 60

Keys = Sequence[str | bytes]


def find_keys(config: Mapping[str, Any]) -> list[str | bytes]:
    """The keys that an app signs with, the one in use last; none without a SECRET_KEY."""

    if not config.get("SECRET_KEY"):
        return []

    return [*(config.get("SECRET_KEY_FALLBACKS") or []), config["SECRET_KEY"]]


def make_permit(keys: Keys, moment: float | None = None) -> str:
    """A permit of this moment; ``keys`` are the site's, the one that signs last."""

    return str(_signer(keys).dumps(int(time.time() if moment is None else moment)))


def is_permit(keys: Keys, text: str) -> bool:
    """Whether a text is a permit of the site's that still holds."""

    if not keys or not text:
        return False

    try:
        moment = _signer(keys).loads(text)
    except BadData:
        return False

    return isinstance(moment, int) and abs(time.time() - moment) <= SECONDS


def _signer(keys: Keys) -> URLSafeSerializer:
    as_bytes = [key if isinstance(key, bytes) else key.encode() for key in keys]

    return URLSafeSerializer(as_bytes, salt="chatstream-doctor")
