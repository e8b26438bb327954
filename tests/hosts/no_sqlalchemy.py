"""A guest book on plain ``sqlite3``: no SQLAlchemy, a connection per request in ``g``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from flask import Flask, g, redirect, render_template_string, request, url_for
from werkzeug import Response

from tests.hosts.deployment import Deployment

PAGE = """<!doctype html>
<title>Guest book</title>
<form method="post"><input name="name"> <input name="words"> <button>Sign</button></form>
<ul>{% for entry in entries %}<li>{{ entry.name }}: {{ entry.words }}</li>{% endfor %}</ul>"""


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.secret_key = "a guest book's"
    path = Path(deployment.folder, "guests.sqlite3")

    def connection() -> sqlite3.Connection:
        if "connection" not in g:
            g.connection = sqlite3.connect(path)
            g.connection.row_factory = sqlite3.Row
            g.connection.execute("CREATE TABLE IF NOT EXISTS entry (name TEXT, words TEXT)")

        found: sqlite3.Connection = g.connection

        return found

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        if "connection" in g:
            g.connection.close()

    @app.get("/")
    def index() -> str:
        entries = connection().execute("SELECT name, words FROM entry").fetchall()

        return render_template_string(PAGE, entries=entries)

    @app.post("/")
    def sign() -> Response:
        values = (request.form["name"], request.form["words"])
        connection().execute("INSERT INTO entry VALUES (?, ?)", values)
        connection().commit()

        return redirect(url_for("index"))

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
