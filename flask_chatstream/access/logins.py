"""Hearing of log-ins and log-outs, where the site uses Flask-Login."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from flask import Flask

Receiver = Callable[..., Any]


def follow_logins(app: Flask, on_in: Receiver, on_out: Receiver) -> bool:
    """Call ``on_in`` and ``on_out`` with the app and the user; whether the site has Flask-Login.

    Both must live as long as the app, because signals keep no receiver alive.
    """

    if "flask_login" not in sys.modules or not hasattr(app, "login_manager"):
        return False

    from flask_login import user_logged_in, user_logged_out

    user_logged_in.connect(on_in, sender=app)
    user_logged_out.connect(on_out, sender=app)

    return True
