"""A site whose Flask-Limiter counts the chat's requests too, few as they may be."""

from __future__ import annotations

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    Limiter(
        get_remote_address,
        app=app,
        default_limits=["40 per hour"],
        storage_uri="memory://",
        headers_enabled=True,
    )

    @app.route("/", methods=["GET", "POST"])
    def index() -> str:
        return f"A site: {request.get_data(as_text=True)}"

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
