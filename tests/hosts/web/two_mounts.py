"""A site with two chats, the second with instructions and conversations of its own."""

from __future__ import annotations

from flask import Flask

from flask_chatstream import ChatStream
from flask_chatstream.providers.scripted import ScriptedProvider
from tests.hosts.deployment import Deployment

second = ScriptedProvider()


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    app.add_url_rule("/", "index", lambda: "A site")

    if deployment.chat is not None:
        support = ChatStream("support", url_prefix="/support", provider=second)
        app.register_blueprint(deployment.chat)
        app.register_blueprint(support)

    return app
