"""A server that renders our templates from plain values and plays the live wire by a script.

It keeps everything in memory and knows no database and no model, so that a test of the page says
exactly what arrives and when. ``python -m tests.browser.stub`` serves it for looking at.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, render_template, request
from markupsafe import Markup
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_chatstream.views.words import make_words

from .answers import write_slowly
from .host import add_host
from .pages import add_acts, add_pages
from .state import CSP, Conversation, Message, Play, Stub
from .wire import add_wire, event, event_stream

__all__ = [
    "CSP",
    "Conversation",
    "Message",
    "Play",
    "Server",
    "Stub",
    "event",
    "event_stream",
    "write_slowly",
]

PACKAGE = Path(__file__).parents[2] / "flask_chatstream"


def make_app(stub: Stub) -> Flask:
    app = Flask(__name__, template_folder=None, static_folder=None)
    blueprint = Blueprint(
        "chatstream",
        "flask_chatstream",
        url_prefix="/chat",
        template_folder=str(PACKAGE / "templates"),
        static_folder=str(PACKAGE / "static"),
        static_url_path="/static",
    )
    add_pages(blueprint, stub)
    add_acts(blueprint, stub)
    add_wire(blueprint, stub)
    app.register_blueprint(blueprint)
    add_host(app, stub)

    app.jinja_env.globals["chatstream_assets"] = lambda mount=None: Markup(
        stub.host_script + render_template("chatstream/_assets.html", chat=stub.chat())
    )
    app.context_processor(lambda: make_words(stub.language, {}))
    app.before_request(lambda: stub.requests.append(_note()))
    app.after_request(lambda response: _secure(response, stub))

    return app


def _note() -> tuple[str, str, dict[str, str], dict[str, str]]:
    values = {**request.args.to_dict(), **request.form.to_dict()}

    return request.method, request.path, values, dict(request.headers)


def _secure(response: Response, stub: Stub) -> Response:
    if stub.csp:
        response.headers["Content-Security-Policy"] = stub.csp

    return response


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Server:
    """The stub behind a real HTTP server on a free port."""

    def __init__(self, port: int = 0) -> None:
        self.stub = Stub()
        self._server = make_server(
            "127.0.0.1", port, make_app(self.stub), threaded=True, request_handler=_Quiet
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    server = Server(5055)
    server.stub.answers = write_slowly
    print(server.url)
    threading.Event().wait()
