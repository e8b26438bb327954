"""A board with SeaSurf, which keeps its token in a cookie."""

from __future__ import annotations

from flask import Flask, request
from flask.testing import FlaskClient
from flask_seasurf import SeaSurf

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a board's")
    SeaSurf(app)

    @app.get("/")
    def index() -> str:
        return "A board"

    @app.post("/post")
    def post() -> str:
        return f"Posted: {request.form['text']}"

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def headers(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": client.get("/chat/token").get_json()["csrf_token"]}
