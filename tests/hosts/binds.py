"""A shop whose visits go to a file beside its database: one bind besides the default."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.hosts.deployment import Deployment

db = SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}))


class Order(db.Model):  # type: ignore[name-defined, misc]
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(String(40))


class Visit(db.Model):  # type: ignore[name-defined, misc]
    __bind_key__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(200), index=True)


def make_row() -> object:
    return Order(item="Lamp")


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(
        SECRET_KEY="a shop's",
        SQLALCHEMY_DATABASE_URI=deployment.url,
        SQLALCHEMY_BINDS={"visits": f"sqlite:///{deployment.folder}/visits.sqlite3"},
    )
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations)

    @app.get("/")
    def index() -> str:
        orders = db.session.scalars(select(Order.item)).all()
        visits = db.session.scalar(select(func.count()).select_from(Visit))

        return render_template_string("{{ orders }} {{ visits }}", orders=orders, visits=visits)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
