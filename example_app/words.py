"""Money and dates as people read them."""

from __future__ import annotations

from datetime import date

from flask import Flask


def money(pence: int) -> str:
    """``1250`` as ``£12.50``."""

    return f"£{pence / 100:,.2f}"


def day(moment: date) -> str:
    """A date with its weekday: ``Friday 20 November``."""

    return f"{moment:%A} {moment.day} {moment:%B}"


def init_app(app: Flask) -> None:
    """Make both filters of the templates."""

    app.add_template_filter(money)
    app.add_template_filter(day)
