"""Errors as pages of the shop."""

from __future__ import annotations

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

_WORDS = {
    400: "That form was too old. Please go back, reload the page and try again.",
    404: "There is no such page here. Perhaps it was repotted.",
}


def init_app(app: Flask) -> None:
    """Show HTTP errors in the shop's dress."""

    app.register_error_handler(HTTPException, _show)


def _show(error: HTTPException) -> tuple[str, int]:
    status = error.code or 500
    words = _WORDS.get(status, error.description)

    return render_template("shop/error.html", status=status, name=error.name, words=words), status
