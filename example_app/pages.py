"""The pages that everybody sees."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> ResponseReturnValue:
    """The help desk."""

    orders = current_user.orders if current_user.is_authenticated else []

    return render_template("shop/home.html", latest=orders[0] if orders else None)


@pages.get("/help")
def help() -> ResponseReturnValue:
    """Questions that come often."""

    return render_template("shop/help.html")
