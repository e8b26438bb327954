"""A forum whose factory does everything inside one app context, and makes the tables there."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """The forum's models."""


db = SQLAlchemy(model_class=Base)
forum = Blueprint("forum", __name__)


class Thread(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def make_row() -> object:
    return Thread(title="What are you reading?")


@forum.get("/")
def index() -> str:
    threads = db.session.scalars(select(Thread)).all()

    return render_template_string(
        "{% for t in threads %}{{ t.title }}{% endfor %}", threads=threads
    )


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a forum's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)

    with app.app_context():
        app.register_blueprint(forum)

        if deployment.chat is not None:
            app.register_blueprint(deployment.chat)

        db.create_all()

    return app
