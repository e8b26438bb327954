"""A to-do list on Flask-SQLAlchemy-Lite, with models of its own and Flask-Alembic."""

from __future__ import annotations

from flask import Flask, current_app, render_template_string, request
from flask.typing import ResponseReturnValue
from flask_alembic import Alembic
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """Plain SQLAlchemy: the extension knows nothing of it."""


class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80), index=True)
    is_done: Mapped[bool] = mapped_column(default=False)


db = SQLAlchemy()
alembic = Alembic(metadatas=Base.metadata)


def make_row() -> object:
    return Task(title="Water the plants")


def create_tables() -> None:
    Base.metadata.create_all(db.engine)


def drop_tables() -> None:
    Base.metadata.drop_all(db.engine)


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.from_mapping(
        SECRET_KEY="a list's",
        SQLALCHEMY_ENGINES={"default": deployment.url},
        ALEMBIC={"script_location": deployment.migrations},
    )
    db.init_app(app)
    alembic.init_app(app)

    @app.get("/")
    def index() -> str:
        tasks = db.session.scalars(select(Task).order_by(Task.title)).all()

        return render_template_string("{% for t in tasks %}{{ t.title }}{% endfor %}", tasks=tasks)

    @app.post("/")
    def add() -> ResponseReturnValue:
        task = Task(title=request.form["title"])
        db.session.add(task)
        db.session.commit()

        return {"id": task.id}, 201

    @app.shell_context_processor
    def shell() -> dict[str, object]:
        return {"db": db, "Task": Task, "name": current_app.name}

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
