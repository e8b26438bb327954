"""A site in one file, with its app, its extensions and its views at module level."""

from __future__ import annotations

from flask import Flask, flash, render_template_string, session
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from tests.hosts.deployment import deployed

deployment = deployed()
app = Flask(__name__, instance_path=deployment.instance)
app.config.update(SECRET_KEY="a cinema's", SQLALCHEMY_DATABASE_URI=deployment.url)
db = SQLAlchemy(app)
migrate = Migrate(app, db, directory=deployment.migrations)

if deployment.chat is not None:
    app.register_blueprint(deployment.chat)


class Film(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(80), nullable=False)
    year = db.Column(db.Integer, index=True)


def make_row() -> object:
    return Film(title="Metropolis", year=1927)


@app.before_request
def count() -> None:
    session["seen"] = session.get("seen", 0) + 1


@app.after_request
def sign(response):  # type: ignore[no-untyped-def]
    response.headers["X-Cinema"] = "Lux"

    return response


@app.errorhandler(404)
def missing(error: Exception) -> tuple[str, int]:
    return "No such film.", 404


@app.template_filter("decade")
def decade(year: int) -> str:
    return f"{year // 10}0s"


@app.route("/")
def index() -> str:
    flash("Today at eight.")
    page = "{{ get_flashed_messages() }}{% for f in films %}{{ f.title }} {{ f.year | decade }}"

    return render_template_string(page + "{% endfor %}", films=Film.query.order_by(Film.year))
