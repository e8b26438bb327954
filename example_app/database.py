"""The shop's database: its migrations, and how a fresh one gets ready by itself."""

from __future__ import annotations

from pathlib import Path

import flask_migrate
from flask import Flask, current_app
from sqlalchemy import select

from .config import HERE
from .lock import locked
from .models import Customer, db
from .stock import demo_customers

migrate = flask_migrate.Migrate(db=db, directory=str(HERE / "migrations"))


def init_app(app: Flask) -> None:
    """Have the tables made by the first request at the latest, whatever serves it."""

    migrate.init_app(app)
    app.before_request(prepare)


def prepare() -> None:
    """Upgrade the shop's tables and fill them, once per process."""

    app = current_app

    if app.extensions.get("shop_is_ready"):
        return

    with locked(Path(app.instance_path)):
        if not app.extensions.get("shop_is_ready"):
            _use_wal()
            flask_migrate.upgrade()
            _fill()
            app.extensions["shop_is_ready"] = True


def _use_wal() -> None:
    """Let readers of an SQLite file go on while somebody writes; the file remembers it."""

    if db.engine.dialect.name == "sqlite":
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _fill() -> None:
    if db.session.scalar(select(Customer.id).limit(1)) is None:
        db.session.add_all(demo_customers())
        db.session.commit()
