"""A site with Flask-Compress, told to compress whatever streams."""

from __future__ import annotations

from flask import Flask
from flask_compress import Compress

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's", COMPRESS_MIN_SIZE=1)
    Compress(app)

    @app.get("/")
    def index() -> str:
        return "A site. " * 100

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
