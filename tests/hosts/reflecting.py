"""Pages over the old tables of a warehouse, which the site reflects and does not describe."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.ext.automap import automap_base

from tests.hosts.deployment import Deployment

db = SQLAlchemy()
part = Table(
    "part", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(40))
)


class Note(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(80), index=True)


def make_row() -> object:
    return Note(text="The upper shelf is empty.")


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a warehouse's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    with app.app_context():
        part.create(db.engine, checkfirst=True)  # the warehouse's own program
        db.reflect()
        mapped = automap_base(metadata=db.metadata)
        mapped.prepare()

    @app.get("/")
    def index() -> str:
        parts = db.session.scalars(select(mapped.classes.part.name)).all()
        notes = db.session.scalars(select(Note.text)).all()

        return render_template_string("{{ parts }} {{ notes }}", parts=parts, notes=notes)

    return app
