"""A site in one file that makes and fills its tables when it is imported."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy

from tests.hosts.deployment import deployed

deployment = deployed()
app = Flask(__name__, instance_path=deployment.instance)
app.config["SECRET_KEY"] = "a menu's"
app.config["SQLALCHEMY_DATABASE_URI"] = deployment.url
db = SQLAlchemy(app)


class Dish(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40), unique=True)


def make_row() -> object:
    return Dish(name="Soup of the day")


with app.app_context():
    db.create_all()

    if not Dish.query.filter_by(name="Bread").first():
        db.session.add(Dish(name="Bread"))
        db.session.commit()


@app.route("/")
def index() -> str:
    dishes = Dish.query.order_by(Dish.name).all()

    return render_template_string("{% for d in dishes %}{{ d.name }} {% endfor %}", dishes=dishes)


if deployment.chat is not None:
    app.register_blueprint(deployment.chat)
