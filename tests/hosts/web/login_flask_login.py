"""A forum with Flask-Login and users in its database."""

from __future__ import annotations

from flask import Flask, redirect, request, url_for
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.wrappers import Response

from tests.hosts.deployment import Deployment

db = SQLAlchemy()
login = LoginManager()


class Member(UserMixin, db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def make_row() -> object:
    return Member(name="ada")


@login.user_loader  # type: ignore[untyped-decorator]
def load_user(id: str) -> Member | None:
    return db.session.get(Member, int(id))


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a forum's", SQLALCHEMY_DATABASE_URI=deployment.url)
    app.config["CHATSTREAM_ANONYMOUS"] = "sign_in"
    db.init_app(app)
    login.init_app(app)
    login.login_view = "sign_in"

    @app.get("/")
    def index() -> str:
        return f"Hello, {getattr(current_user, 'name', 'stranger')}."

    @app.get("/inbox")
    @login_required  # type: ignore[untyped-decorator]
    def inbox() -> str:
        return f"Letters to {current_user.name}."

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> str | Response:
        if request.method == "GET":
            return "Who are you?"

        name = request.form["name"]
        member = db.session.query(Member).filter_by(name=name).first() or Member(name=name)
        db.session.add(member)
        db.session.commit()
        login_user(member)

        return redirect(url_for("index"))

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app


def make_client(app: Flask, name: str = "grace") -> FlaskClient:
    client = app.test_client()
    client.post("/sign-in", data={"name": name})

    return client
