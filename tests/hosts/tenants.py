"""A tracker for many firms: each row must name its tenant, and each query is told whose it is."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, has_request_context, render_template_string, request
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, with_loader_criteria

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """The mandatory column is on the base, so that no model can forget it."""

    tenant_id: Mapped[int] = mapped_column(index=True)


db = SQLAlchemy(model_class=Base)


class Issue(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def make_row() -> object:
    return Issue(title="It leaks.", tenant_id=1)


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a tracker's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations)

    @app.before_request
    def know_tenant() -> None:
        g.tenant_id = request.args.get("tenant", 1, int)

    @event.listens_for(db.session, "do_orm_execute")
    def only_theirs(state: Any) -> None:
        if state.is_select and has_request_context():
            tenant = g.tenant_id
            state.statement = state.statement.options(
                with_loader_criteria(Base, lambda model: model.tenant_id == tenant)
            )

    @event.listens_for(db.session, "before_flush")
    def name_tenant(session: Any, *_: Any) -> None:
        for row in session.new if has_request_context() else ():
            row.tenant_id = g.tenant_id

    @app.get("/")
    def index() -> str:
        issues = db.session.scalars(select(Issue)).all()

        return render_template_string(
            "{% for i in issues %}{{ i.title }}{% endfor %}", issues=issues
        )

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
