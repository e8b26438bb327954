"""A report that reads two databases, neither of which is the default."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy

from tests.hosts.deployment import Deployment

db = SQLAlchemy()


class Sale(db.Model):  # type: ignore[name-defined, misc]
    __bind_key__ = "sales"
    id = db.Column(db.Integer, primary_key=True)
    amount = db.Column(db.Integer, nullable=False)


class Cost(db.Model):  # type: ignore[name-defined, misc]
    __bind_key__ = "costs"
    id = db.Column(db.Integer, primary_key=True)
    amount = db.Column(db.Integer, nullable=False)


def make_row() -> object:
    return Sale(amount=300)


def create_tables() -> None:
    db.create_all(["sales", "costs"])


def drop_tables() -> None:
    db.drop_all(["sales", "costs"])


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.secret_key = "a report's"
    app.config["SQLALCHEMY_BINDS"] = {
        "sales": deployment.url,
        "costs": f"sqlite:///{deployment.folder}/costs.sqlite3",
    }
    db.init_app(app)

    @app.get("/")
    def index() -> str:
        sums = [sum(row.amount for row in model.query) for model in (Sale, Cost)]

        return render_template_string("Earned {{ sums[0] }}, spent {{ sums[1] }}.", sums=sums)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
