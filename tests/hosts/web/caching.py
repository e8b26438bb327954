"""A magazine that keeps whole pages in Flask-Caching, the widget and its token with them."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask.testing import FlaskClient
from flask_caching import Cache
from flask_wtf import CSRFProtect

from tests.hosts.deployment import Deployment

PAGE = """<!doctype html><title>A magazine</title><h1>News</h1>
{% if chatstream_widget is defined %}{{ chatstream_widget() }}{% endif %}"""


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a magazine's", CACHE_TYPE="SimpleCache")
    cache = Cache(app)
    CSRFProtect(app)

    @app.get("/")
    @cache.cached(timeout=60)  # type: ignore[untyped-decorator]
    def index() -> str:
        return "A magazine"

    @app.get("/news")
    @cache.cached(timeout=60)  # type: ignore[untyped-decorator]
    def news() -> str:
        return render_template_string(PAGE)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def headers(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": client.get("/chat/token").get_json()["csrf_token"]}
