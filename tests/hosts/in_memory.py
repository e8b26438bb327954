"""A site in its own tests: an engine in memory, which is one connection for everybody."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """The site's models."""


db = SQLAlchemy(model_class=Base)


class Note(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


def make_row() -> object:
    return Note(text="Remember the milk.")


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="for tests", SQLALCHEMY_DATABASE_URI=deployment.url, TESTING=True)
    db.init_app(app)

    @app.get("/")
    def index() -> str:
        notes = db.session.scalars(select(Note.text)).all()

        return render_template_string("{{ notes }}", notes=notes)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
