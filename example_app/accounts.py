"""Signing in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from sqlalchemy import select

from .models import Customer, db
from .stock import PASSWORD

accounts = Blueprint("accounts", __name__)
login_manager = LoginManager()
login_manager.login_view = "accounts.sign_in"
login_manager.login_message = "Please sign in to see your orders."


def init_app(app: Flask) -> None:
    """Let the app know its customers."""

    login_manager.init_app(app)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_customer(id: str) -> Customer | None:
    """The customer of a session."""

    return db.session.get(Customer, int(id))


@accounts.app_context_processor
def _demo_accounts() -> dict[str, object]:
    """What the one-click buttons send."""

    return {
        "demo_accounts": [("Ada", "ada@example.com"), ("Grace", "grace@example.com")],
        "demo_password": PASSWORD,
    }


@accounts.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The form."""

    if current_user.is_authenticated:
        return redirect(_next())

    return render_template("shop/sign_in.html", email="")


@accounts.post("/sign-in")
def check() -> ResponseReturnValue:
    """Check the password and sign the customer in."""

    email = request.form.get("email", "").strip().lower()
    customer = db.session.scalar(select(Customer).where(Customer.email == email))

    if customer is None or not customer.has_password(request.form.get("password", "")):
        flash("This e-mail address and password do not belong together.", "error")
        return render_template("shop/sign_in.html", email=email), 401

    login_user(customer)

    return redirect(_next(), 303)


@accounts.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Forget who it is."""

    logout_user()

    return redirect(url_for("pages.home"), 303)


def _next() -> str:
    """Where the customer wanted to go; never to another site."""

    target = request.values.get("next", "").replace("\\", "/")
    parts = urlsplit(target)
    is_ours = target.startswith("/") and not parts.scheme and not parts.netloc

    return target if is_ours and target.isprintable() else url_for("pages.home")
