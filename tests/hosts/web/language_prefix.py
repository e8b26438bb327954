"""A site with the language in front of every path, which it takes out of the values itself."""

from __future__ import annotations

from flask import Flask, g

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")

    @app.url_value_preprocessor
    def take_language(endpoint: str | None, values: dict[str, str] | None) -> None:
        g.language = (values or {}).pop("lang", "en")

    @app.url_defaults
    def give_language(endpoint: str, values: dict[str, str]) -> None:
        if app.url_map.is_endpoint_expecting(endpoint, "lang"):
            values.setdefault("lang", g.get("language", "en"))

    @app.get("/<lang>/")
    def index() -> str:
        return f"A site in {g.language}"

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat, url_prefix="/<lang>/help")

    return app
