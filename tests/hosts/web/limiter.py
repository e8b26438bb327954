"""A site with Flask-Limiter; the chat, which has limits of its own, is exempt."""

from __future__ import annotations

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    limiter = Limiter(
        get_remote_address,
        app=app,
        default_limits=["5 per hour"],
        storage_uri="memory://",
        headers_enabled=False,
    )

    @app.get("/")
    def index() -> str:
        return "A site"

    if deployment.chat is not None:
        limiter.exempt(deployment.chat)
        app.register_blueprint(deployment.chat)

    return app
