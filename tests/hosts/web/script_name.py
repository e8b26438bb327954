"""A site below ``/shop``, put there by werkzeug's dispatcher."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from tests.hosts.deployment import Deployment


class FromOutside(FlaskClient):
    """A browser, which knows nothing of where the app is mounted."""

    def open(self, path: str, **options: Any) -> TestResponse:  # type: ignore[override]
        return super().open(path, base_url="http://localhost/", **options)


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's", APPLICATION_ROOT="/shop")
    app.config["SESSION_COOKIE_PATH"] = "/shop"
    app.add_url_rule("/", "index", lambda: "A site")
    nobody = Response("No site here", 404)
    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        nobody, {"/shop": app.wsgi_app}
    )

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask) -> FlaskClient:
    return FromOutside(app, app.response_class)
