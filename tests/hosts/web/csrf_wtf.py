"""A shop with Flask-WTF's CSRFProtect, which renames header and field, and its own error page."""

from __future__ import annotations

from flask import Flask, render_template_string, request
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError

from tests.hosts.deployment import Deployment

FORM = """<form method="post" action="/order"><input name="item">
<input type="hidden" name="guard" value="{{ csrf_token() }}"></form>"""


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(
        SECRET_KEY="a shop's", WTF_CSRF_FIELD_NAME="guard", WTF_CSRF_HEADERS=["X-Guard"]
    )

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    CSRFProtect(app)

    @app.get("/")
    def index() -> str:
        return "A shop"

    @app.get("/order")
    def form() -> str:
        return render_template_string(FORM)

    @app.post("/order")
    def order() -> str:
        return f"One {request.form['item']}."

    @app.errorhandler(CSRFError)
    def refused(error: CSRFError) -> tuple[str, int]:
        return "The shop's own words.", 400

    return app


def headers(client: FlaskClient) -> dict[str, str]:
    return {"X-Guard": client.get("/chat/token").get_json()["csrf_token"]}
