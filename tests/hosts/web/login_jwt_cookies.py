"""A site with a JSON Web Token in a cookie, and the double submit that guards it.

Flask-JWT-Extended wants the token's CSRF value in a header with every POST. The site tells its
templates of it under the name that CSRF extensions use, and the chat sends it.
"""

from __future__ import annotations

from flask import Flask, jsonify, request
from flask.testing import FlaskClient
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt_identity,
    jwt_required,
    set_access_cookies,
    verify_jwt_in_request,
)
from jwt import ExpiredSignatureError
from werkzeug.wrappers import Response

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(
        JWT_SECRET_KEY="a site's, and long enough for its signature",
        JWT_TOKEN_LOCATION=["cookies"],
        JWT_COOKIE_SECURE=False,
        JWT_ACCESS_CSRF_HEADER_NAME="X-CSRFToken",
        CHATSTREAM_ANONYMOUS="sign_in",
    )
    JWTManager(app)
    app.add_template_global(lambda: request.cookies.get("csrf_access_token", ""), "csrf_token")

    @app.get("/")
    def index() -> str:
        return "A site"

    @app.post("/sign-in")
    def sign_in() -> Response:
        response = jsonify(ok=True)
        set_access_cookies(response, create_access_token(identity=request.form["name"]))

        return response

    @app.post("/exchange")
    @jwt_required()  # type: ignore[untyped-decorator]
    def exchange() -> Response:
        response = jsonify(ok=True)
        set_access_cookies(response, create_access_token(identity=get_jwt_identity()))

        return response

    @app.post("/order")
    @jwt_required()  # type: ignore[untyped-decorator]
    def order() -> str:
        return f"Ordered by {get_jwt_identity()}."

    def owner() -> str | None:
        try:
            verify_jwt_in_request(optional=True)
        except ExpiredSignatureError:
            return None

        return get_jwt_identity()  # type: ignore[no-any-return]

    if deployment.chat is not None:
        deployment.chat.owner_loader(owner)
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask, name: str = "ada") -> FlaskClient:
    client = app.test_client()
    client.post("/sign-in", data={"name": name})

    return client


def headers(client: FlaskClient) -> dict[str, str]:
    cookie = client.get_cookie("csrf_access_token")

    return {"X-CSRFToken": cookie.value} if cookie else {}
