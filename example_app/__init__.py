"""Fern & Kettle, a small shop whose help desk is a chat: a host as real sites are.

`python -m example_app` serves it; ``flask --app example_app run`` and
``gunicorn example_app.wsgi:app`` do, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The shop; ``config`` comes on top of what the environment says."""

    # Python runs this file before __main__ and wsgi can patch: it must import nothing that opens
    # sockets or makes locks.
    from .factory import make_app

    return make_app(config)
