"""A small site with the chat: ``python -m tests.browser.e2e.host`` serves it with gevent, gunicorn
takes ``tests.browser.e2e.host:app``.

``E2E_SITE`` is JSON: ``port``, ``folder``, ``model`` (the model server's address) and ``lonely``
(an address for the second chat's model).
"""

# gevent patches the process before anything else is imported.
# ruff: noqa: E402

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import os
from typing import Any

from flask import Flask, Response, render_template_string
from flask_wtf.csrf import CSRFProtect
from gevent.pywsgi import WSGIServer

from flask_chatstream import ChatStream
from flask_chatstream.providers.openai_chat import OpenAIChat
from flask_chatstream.pywsgi import WSGIHandler

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ name }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>
<main><h1>{{ name }}</h1><a href="/">Home</a> <a href="/about">About</a></main>
{{ chatstream_widget() }}</body></html>"""


def create_app(settings: dict[str, Any]) -> Flask:
    """The site: the widget on two pages, CSRF protection, a strict policy, a second chat."""

    app = Flask("site", instance_path=settings["folder"])
    app.config.update(
        SECRET_KEY="for tests only",
        CHATSTREAM_PROVIDER="openai",
        CHATSTREAM_MODEL="fake",
        CHATSTREAM_OPENAI_API_KEY="none",
        CHATSTREAM_OPENAI_BASE_URL=settings["model"],
        CHATSTREAM_MAX_MESSAGE_CHARS=2000,
        CHATSTREAM_SUGGESTIONS=["Which teas are there?"],
    )
    csrf = CSRFProtect(app)
    lonely = OpenAIChat(base_url=settings["lonely"], max_retries=0)
    app.register_blueprint(ChatStream())
    app.register_blueprint(ChatStream("lonely", url_prefix="/lonely", provider=lonely))
    app.after_request(add_policy)

    for path, name in (("/", "Home"), ("/about", "About")):
        app.add_url_rule(path, name, lambda name=name: render_template_string(PAGE, name=name))

    @app.post("/draining/<int:on>")
    @csrf.exempt
    def draining(on: int) -> str:
        app.extensions["chatstream"].runtime.draining = bool(on)

        return ""

    return app


def add_policy(response: Response) -> Response:
    """Nothing inline, nothing from elsewhere."""

    response.headers["Content-Security-Policy"] = "default-src 'self'"

    return response


SITE = json.loads(os.environ["E2E_SITE"])
app = create_app(SITE)

if __name__ == "__main__":
    address = ("127.0.0.1", SITE["port"])
    WSGIServer(address, app, log=None, handler_class=WSGIHandler).serve_forever()
