"""A wiki that registers its blueprints first and gives its extensions their app last."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, render_template_string, request, url_for
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from werkzeug.wrappers import Response

from tests.hosts.deployment import Deployment

db = SQLAlchemy()
migrate = Migrate()
wiki = Blueprint("wiki", __name__)


class Page(db.Model):  # type: ignore[name-defined, misc]
    name = db.Column(db.String(60), primary_key=True)
    text = db.Column(db.Text, nullable=False)


def make_row() -> object:
    return Page(name="start", text="Welcome to the wiki.")


@wiki.route("/", defaults={"name": "start"})
@wiki.route("/wiki/<name>")
def show(name: str) -> str:
    page = db.get_or_404(Page, name)

    return render_template_string("<h1>{{ p.name }}</h1>{{ p.text }}", p=page)


@wiki.post("/wiki/<name>")
def write(name: str) -> Response:
    db.session.merge(Page(name=name, text=request.form["text"]))
    db.session.commit()

    return redirect(url_for("wiki.show", name=name))


def register_blueprints(app: Flask, deployment: Deployment) -> None:
    app.register_blueprint(wiki)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)


def register_extensions(app: Flask, deployment: Deployment) -> None:
    db.init_app(app)
    migrate.init_app(app, db, directory=deployment.migrations)


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    register_blueprints(app, deployment)
    app.config.update(SECRET_KEY="a wiki's", SQLALCHEMY_DATABASE_URI=deployment.url)
    register_extensions(app, deployment)

    return app
