"""A site behind a proxy that takes ``/portal`` away, ends TLS and knows the site's name."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from tests.hosts.deployment import Deployment

FORWARDED = {
    "HTTP_X_FORWARDED_FOR": "198.51.100.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "portal.example",
    "HTTP_X_FORWARDED_PREFIX": "/portal",
}


class BehindProxy(FlaskClient):
    """A browser on the far side of the proxy."""

    def open(self, path: str, **options: Any) -> TestResponse:  # type: ignore[override]
        environ = {**FORWARDED, **options.pop("environ_overrides", {})}
        path = path.removeprefix("https://portal.example").removeprefix("/portal")

        return super().open(path, environ_overrides=environ, **options)


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1
    )
    app.add_url_rule("/", "index", lambda: f"A site at {request.url}")

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask) -> FlaskClient:
    return BehindProxy(app, app.response_class)


def headers(client: FlaskClient) -> dict[str, str]:
    return {"Origin": "https://portal.example"}
