"""An address book whose models are dataclasses: ``MappedAsDataclass`` of SQLAlchemy 2."""

from __future__ import annotations

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from tests.hosts.deployment import Deployment


class Base(MappedAsDataclass, DeclarativeBase):
    """Every model is a dataclass, and JSON knows those."""


db = SQLAlchemy(model_class=Base)


class Contact(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str] = mapped_column(String(60), index=True)
    email: Mapped[str | None] = mapped_column(String(120), default=None)


def make_row() -> object:
    return Contact("Ada", email="ada@example.org")


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="an address book's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations)

    @app.get("/")
    def index() -> ResponseReturnValue:
        return jsonify(list(db.session.scalars(select(Contact).order_by(Contact.name))))

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
