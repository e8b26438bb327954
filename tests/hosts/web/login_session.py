"""A diary with a login of its own: an id in Flask's session, and one function that says so."""

from __future__ import annotations

from flask import Flask, redirect, request, session
from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a diary's", CHATSTREAM_ANONYMOUS="sign_in")

    @app.get("/")
    def index() -> str:
        return f"The diary of {session.get('user_id', 'nobody')}"

    @app.post("/sign-in")
    def sign_in() -> Response:
        session["user_id"] = request.form["name"]

        return redirect("/")

    if deployment.chat is not None:
        deployment.chat.owner_loader(lambda: session.get("user_id"))
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask, name: str = "ada") -> FlaskClient:
    client = app.test_client()
    client.post("/sign-in", data={"name": name})

    return client
