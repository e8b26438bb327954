"""A firm whose help has a subdomain of its own."""

from __future__ import annotations

from flask import Flask

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance, subdomain_matching=True)
    app.config.update(SECRET_KEY="a firm's", SERVER_NAME="firm.example")
    app.add_url_rule("/", "index", lambda: "A firm")

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat, subdomain="help", url_prefix="/")

    return app
