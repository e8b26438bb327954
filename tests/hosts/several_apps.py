"""A shop, its back office on the same models without a chat, and an intranet with another ``db``.

One process serves them all; the shop's app is the one that is looked at.
"""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from tests.hosts.deployment import Deployment

db = SQLAlchemy()
intranet_db = SQLAlchemy()
neighbours: list[Flask] = []


class Product(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)


class Employee(intranet_db.Model):  # type: ignore[name-defined, misc]
    id = intranet_db.Column(intranet_db.Integer, primary_key=True)
    name = intranet_db.Column(intranet_db.String(80), nullable=False)


def make_row() -> object:
    return Product(name="Chair")


def create_office(deployment: Deployment) -> Flask:
    app = Flask("office", instance_path=f"{deployment.folder}/office")
    app.config.update(SECRET_KEY="an office's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    app.add_url_rule("/", "index", lambda: str(Product.query.count()))

    return app


def create_intranet(deployment: Deployment) -> Flask:
    app = Flask("intranet", instance_path=f"{deployment.folder}/intranet")
    path = f"sqlite:///{deployment.folder}/intranet.sqlite3"
    app.config.update(SECRET_KEY="an intranet's", SQLALCHEMY_DATABASE_URI=path)
    intranet_db.init_app(app)
    app.add_url_rule("/", "index", lambda: str(Employee.query.count()))

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat, url_prefix="/help")

    with app.app_context():
        intranet_db.create_all()

    return app


def create_app(deployment: Deployment) -> Flask:
    app = Flask("shop", instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a shop's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations)
    neighbours.extend([create_office(deployment), create_intranet(deployment)])

    @app.get("/")
    def index() -> str:
        page = "{% for p in products %}{{ p.name }}{% endfor %}"

        return render_template_string(page, products=Product.query)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
