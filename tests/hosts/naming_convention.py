"""A library whose metadata names every constraint its own way."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Boolean, CheckConstraint, ForeignKey, MetaData, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tests.hosts.deployment import Deployment

CONVENTION = {
    "ix": "index_%(column_0_label)s",
    "uq": "unique_%(table_name)s_%(column_0_N_name)s",
    "ck": "check_%(table_name)s_%(constraint_name)s",
    "fk": "foreign_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "primary_%(table_name)s",
}

db = SQLAlchemy(metadata=MetaData(naming_convention=CONVENTION))


class Shelf(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[str] = mapped_column(String(20))
    number: Mapped[int]
    __table_args__ = (UniqueConstraint("room", "number"), CheckConstraint("number > 0", "counts"))


class Book(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200), index=True)
    is_lent: Mapped[bool] = mapped_column(Boolean(name="lent"), default=False)
    shelf_id: Mapped[int] = mapped_column(ForeignKey(Shelf.id))
    shelf: Mapped[Shelf] = db.relationship()


def make_row() -> object:
    return Book(title="Emma", shelf=Shelf(room="East", number=3))


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a library's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations, render_as_batch=True, compare_type=True)

    @app.get("/")
    def index() -> str:
        books = db.session.scalars(db.select(Book).order_by(Book.title))

        return render_template_string(
            "{% for b in books %}<li>{{ b.title }}, {{ b.shelf.room }}</li>{% endfor %}",
            books=books,
        )

    @app.get("/books.json")
    def books() -> dict[str, object]:
        return {"books": list(db.session.scalars(db.select(Book.title)))}

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
