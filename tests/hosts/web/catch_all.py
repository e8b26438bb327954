"""A site of which a script in the browser makes the pages: every path gives the same one."""

from __future__ import annotations

from flask import Flask

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    app.url_map.strict_slashes = False

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>")
    def page(path: str) -> str:
        return f"<div id=app data-path={path!r}></div>"

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
