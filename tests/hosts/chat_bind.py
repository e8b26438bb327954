"""A news site that gives the chat a database of its own, by ``CHATSTREAM_DATABASE_BIND``."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """The newspaper's models."""


db = SQLAlchemy(model_class=Base)
migrate = Migrate()


class Story(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    headline: Mapped[str]


class Poll(db.Model):  # type: ignore[name-defined, misc]
    """What readers take part in lies beside what they chat."""

    __bind_key__ = "readers"
    id: Mapped[int] = mapped_column(primary_key=True)
    question: Mapped[str]


def make_row() -> object:
    return Poll(question="Will it rain?")


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.from_mapping(
        SECRET_KEY="a newspaper's",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{deployment.folder}/news.sqlite3",
        SQLALCHEMY_BINDS={"readers": {"url": deployment.url, "echo": False}},
    )

    if deployment.chat is not None:
        app.config["CHATSTREAM_DATABASE_BIND"] = "readers"

    db.init_app(app)
    migrate.init_app(app, db, directory=deployment.migrations)

    @app.get("/")
    def front() -> str:
        stories = db.session.scalars(select(Story.headline)).all()
        polls = db.session.scalars(select(Poll.question)).all()

        return render_template_string("{{ stories }}{{ polls }}", stories=stories, polls=polls)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
