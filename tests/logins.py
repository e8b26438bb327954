"""A site with a log-in for the tests of owners: with Flask-Login, or with its own session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, redirect, request, session
from flask_login import LoginManager, UserMixin, login_user, logout_user
from werkzeug.wrappers import Response

from flask_chatstream import ChatStream
from tests.hosts import Host, open_host

Open = Callable[..., AbstractContextManager[Host]]


class User(UserMixin):
    """A user that is no row."""

    def __init__(self, id: str):
        self.id = id


def add_flask_login(app: Flask) -> None:
    """``/in/<name>`` and ``/out`` by Flask-Login; ``?claim=1`` claims in the view."""

    manager = LoginManager(app)
    manager.login_view = "sign_in"
    manager.user_loader(User)

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> str | Response:
        if request.method == "GET":
            return '<form method="post"><button>Sign me in</button></form>'

        login_user(User("ada"))

        return redirect(request.args["next"])

    @app.get("/in/<name>")
    def enter(name: str) -> str:
        login_user(User(name))

        return str(claim(app))

    @app.get("/out")
    def leave() -> str:
        logout_user()

        return "out"


def add_session_login(app: Flask) -> None:
    """The same without Flask-Login."""

    @app.get("/in/<name>")
    def enter(name: str) -> str:
        session["user"] = name

        return str(claim(app))

    @app.get("/out")
    def leave() -> str:
        _chat(app).revoke(session.pop("user"))

        return "out"


def session_user() -> str | None:
    """The owner loader of a site with a session of its own."""

    return session.get("user")


def claim(app: Flask) -> int:
    """What the site's log-in does when its address says so."""

    return _chat(app).claim() if "claim" in request.args else 0


def _chat(app: Flask) -> ChatStream:
    chat = app.blueprints["chatstream"]
    assert isinstance(chat, ChatStream)

    return chat


@contextmanager
def open_site(folder: Path, url: str, login: str = "session", **config: Any) -> Iterator[Host]:
    """A site on a database, with one of the two log-ins."""

    folder.mkdir(exist_ok=True)
    prepare = add_flask_login if login == "flask_login" else add_session_login

    with open_host(folder, prepare, CHATSTREAM_DATABASE_URI=url, **config) as host:
        if login != "flask_login":
            host.chat.owner_loader(session_user)

        yield host
