"""How the shop is put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import accounts, database, errors, orders, pages, security, words
from .assistant import chatstream
from .config import instance_folder, load_config
from .models import db


def make_app(config: Mapping[str, Any] | None = None) -> Flask:
    """A new app, with the chat as one of its blueprints."""

    folder = instance_folder()
    app = Flask("example_app", instance_path=str(folder))
    app.config.update(load_config(folder))
    app.config.update(config or {})

    db.init_app(app)
    database.init_app(app)
    security.init_app(app)
    accounts.init_app(app)
    errors.init_app(app)
    words.init_app(app)

    app.register_blueprint(pages.pages)
    app.register_blueprint(accounts.accounts)
    app.register_blueprint(orders.orders)
    app.register_blueprint(chatstream)

    return app
