"""A club with Flask-Security: its own user mixin, login form and CSRF protection."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    auth_required,
    current_user,
)
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from tests.hosts.deployment import Deployment

db = SQLAlchemy()

roles = db.Table(
    "roles_users",
    db.Column("user_id", db.Integer, db.ForeignKey("user.id")),
    db.Column("role_id", db.Integer, db.ForeignKey("role.id")),
)


class Role(db.Model, RoleMixin):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True)


class User(db.Model, UserMixin):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(255), unique=True)
    password = db.Column(db.String(255))
    active = db.Column(db.Boolean)
    fs_uniquifier = db.Column(db.String(64), unique=True, nullable=False)
    roles = db.relationship("Role", secondary=roles, backref="users")


def make_row() -> object:
    return Role(name="guest")


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(
        SECRET_KEY="a club's",
        SQLALCHEMY_DATABASE_URI=deployment.url,
        SECURITY_PASSWORD_SALT="a grain",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        WTF_CSRF_CHECK_DEFAULT=True,
        CHATSTREAM_ANONYMOUS="sign_in",
    )
    CSRFProtect(app)
    db.init_app(app)
    store = SQLAlchemyUserDatastore(db, User, Role)
    app.security = Security(app, store)  # type: ignore[attr-defined]

    @app.get("/")
    def index() -> str:
        return "The club"

    @app.get("/members")
    @auth_required()  # type: ignore[untyped-decorator]
    def members() -> str:
        return f"Hello, {current_user.email}."

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask) -> FlaskClient:
    security = app.security  # type: ignore[attr-defined]

    with app.app_context():
        if security.datastore.find_user(email="ada@club.example") is None:
            security.datastore.create_user(email="ada@club.example", password="sesame")
            db.session.commit()

    client = app.test_client()
    form = client.get("/login").text
    token = form.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    fields = {"email": "ada@club.example", "password": "sesame", "csrf_token": token}
    assert client.post("/login", data=fields).status_code == 302

    return client


def headers(client: FlaskClient) -> dict[str, str]:
    token = client.get("/chat/token").get_json()["csrf_token"]

    return {"X-CSRFToken": token}
