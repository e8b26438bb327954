"""A service for apps: a JSON Web Token in the ``Authorization`` header, no session at all."""

from __future__ import annotations

from flask import Flask, request
from flask.testing import FlaskClient
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt_identity,
    jwt_required,
    verify_jwt_in_request,
)

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config["JWT_SECRET_KEY"] = "a service's, and long enough for its signature"
    app.config["CHATSTREAM_ANONYMOUS"] = "sign_in"
    JWTManager(app)

    @app.post("/token")
    def token() -> dict[str, str]:
        return {"token": create_access_token(identity=request.form["name"])}

    @app.get("/")
    def index() -> str:
        return "A service"

    @app.get("/me")
    @jwt_required()  # type: ignore[untyped-decorator]
    def me() -> str:
        return str(get_jwt_identity())

    def owner() -> str | None:
        verify_jwt_in_request(optional=True)

        return get_jwt_identity()  # type: ignore[no-any-return]

    if deployment.chat is not None:
        deployment.chat.owner_loader(owner)
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask, name: str = "ada") -> FlaskClient:
    client = app.test_client()
    token = client.post("/token", data={"name": name}).get_json()["token"]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    return client
