"""A site whose blueprints stand in one another, the chat in the innermost."""

from __future__ import annotations

from flask import Blueprint, Flask

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    account = Blueprint("account", __name__, url_prefix="/account")
    desk = Blueprint("desk", __name__, url_prefix="/desk")
    desk.add_url_rule("/", "index", lambda: "The desk")

    if deployment.chat is not None:
        desk.register_blueprint(deployment.chat)

    account.register_blueprint(desk)
    app.register_blueprint(account)
    app.add_url_rule("/", "index", lambda: "A site")

    return app
