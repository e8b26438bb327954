"""A ledger that keeps its tables in a PostgreSQL schema and compares all schemas."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, MetaData, String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.schema import CreateSchema

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """Everything lies in ``ledger``, for ``public`` is somebody else's."""

    metadata = MetaData(schema="ledger")


db = SQLAlchemy(model_class=Base)


class Account(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    entries: Mapped[list[Entry]] = relationship()


class Entry(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id))


def make_row() -> object:
    return Account(name="Rent", entries=[Entry(cents=5000), Entry(cents=-200)])


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a ledger's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations, include_schemas=True)

    with app.app_context(), db.engine.begin() as connection:
        connection.execute(CreateSchema("ledger", if_not_exists=True))

    @app.get("/")
    def index() -> str:
        total = func.sum(Entry.cents)
        sums = db.session.execute(select(Account.name, total).join(Entry).group_by(Account.name))

        return render_template_string("{% for row in sums %}{{ row }}{% endfor %}", sums=sums.all())

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
