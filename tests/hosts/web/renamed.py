"""A site that has a blueprint ``chatstream`` already, and its chat under another name."""

from __future__ import annotations

from flask import Blueprint, Flask, url_for

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    streams = Blueprint("chatstream", __name__, url_prefix="/streams")
    streams.add_url_rule("/", "index", lambda: f"Streams at {url_for('.index')}")
    app.register_blueprint(streams)
    app.add_url_rule("/", "index", lambda: "A site")

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat, name="assistant", url_prefix="/assistant")

    return app
