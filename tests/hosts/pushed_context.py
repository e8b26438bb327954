"""A script that grew: it pushes an app context at its top and never pops it."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from tests.hosts.deployment import deployed

deployment = deployed()
app = Flask(__name__, instance_path=deployment.instance)
app.config["SECRET_KEY"] = "a diary's"
app.config["SQLALCHEMY_DATABASE_URI"] = deployment.url
context = app.app_context()
context.push()
db = SQLAlchemy(app)
Migrate(app, db, directory=deployment.migrations)

if deployment.chat is not None:
    app.register_blueprint(deployment.chat)


class Day(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    notes = db.Column(db.Text, nullable=False)


def make_row() -> object:
    return Day(notes="It rained.")


@app.route("/")
def index() -> str:
    return render_template_string("{% for d in days %}{{ d.notes }}{% endfor %}", days=Day.query)
