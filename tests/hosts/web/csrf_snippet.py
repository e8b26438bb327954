"""A forum with the CSRF protection of Flask's old snippet: a field, a token for each act, 403."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask, abort, render_template_string, request, session

from tests.hosts.deployment import Deployment


def make_token() -> str:
    if "_csrf_token" not in session:
        session["_csrf_token"] = secrets.token_hex(16)

    token: str = session["_csrf_token"]

    return token


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a forum's")
    guard(app)
    app.context_processor(lambda: {"csrf_token": make_token})
    app.add_url_rule("/", "home", lambda: render_template_string("{{ chatstream_widget() }}"))

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def guard(app: Flask) -> None:
    """The snippet."""

    @app.before_request
    def protect() -> Any:
        if request.method == "POST":
            token = session.pop("_csrf_token", None)

            if not token or token != request.form.get("_csrf_token"):
                abort(403)
