"""A magazine as browsers see it: its own htmx, its own styles, its own CSRF protection.

Which, the address says: ``?htmx=2&css=bootstrap&boost=1&dir=rtl``. The styles and scripts of others
are npm's, from ``package.json``.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, render_template_string, request
from flask_wtf import CSRFProtect

from tests.browser.looking import NODE_MODULES
from tests.hosts.deployment import Deployment

SCRIPTS = {"1": "htmx-1", "2": "htmx-2", "4": "htmx.org"}
STYLES = {
    "bootstrap": "bootstrap/dist/css/bootstrap.min.css",
    "bootstrap-rtl": "bootstrap/dist/css/bootstrap.rtl.min.css",
    "tailwind": "@unocss/reset/tailwind.css",
    "tailwind-v4": "@unocss/reset/tailwind-v4.css",
    "meyer": "@unocss/reset/eric-meyer.css",
}
HOSTILE = {
    "plain": "",
    "unset": "* { all: unset }",
    "unset-parts": "*, *::before, *::after { all: unset; display: revert } button { float: left }",
    "important": """
        :is(button, a, textarea):not(.cs-root *) { padding: 20px !important; color: navy !important;
          border-radius: 0 !important; background: gold !important; font: 30px serif !important }
        """,
    "huge": "html { font-size: 40px } body { line-height: 3; letter-spacing: 6px }",
    "tiny": "html { font-size: 6px } body { font: 6px/1 monospace; zoom: 1 }",
    "shouting": """
        div, section, header, footer, form, p, ul, li { margin: 2em; padding: 2em; float: left;
          border: 3px solid; text-align: center; text-indent: 3em; max-width: 200px }
        button:hover { transform: scale(2) } * { transition: all 2s; cursor: crosshair }""",
}
PAGE = """<!doctype html><html lang="en" dir="{{ dir }}"><head><meta charset="utf-8">
<title>News</title><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/styles/{{ css }}">
{% if htmx %}<script src="/scripts/{{ htmx }}"></script>{% endif %}</head>
{% set below = ":inherited" if htmx == "4" else "" -%}
<body{% if boost %} hx-boost{{ below }}="true" hx-push-url{{ below }}="true"{% endif %}>
<main hx-headers{{ below }}='{"X-From": "magazine"}' hx-target{{ below }}="#more">
<h1>{{ title }}</h1>
<p>A page of its own. <button id="load" hx-get="/more">More</button> <span id="more"></span></p>
<p><a id="about" href="/about?{{ query }}" hx-target="body">About</a>
<a id="chat" href="/chat/" hx-target="body">Chat</a></p>
</main>{% if chatstream_widget is defined %}{{ chatstream_widget() }}{% endif %}
</body></html>"""


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a magazine's")
    CSRFProtect(app)
    loads: list[str | None] = []
    app.extensions["magazine"] = loads

    def page() -> str:
        options = {name: request.args.get(name, "") for name in ("htmx", "boost")}
        rest = {name: request.args.get(name, "") for name in ("css", "dir")}
        title = request.path.strip("/") or "News"
        query = request.query_string.decode()

        return render_template_string(PAGE, title=title, query=query, **options, **rest)

    @app.get("/more")
    def more() -> str:
        loads.append(request.headers.get("X-From"))

        return f"<b>{len(loads)}</b>"

    @app.get("/styles/<name>")
    def style(name: str) -> Response:
        path = STYLES.get(name)
        text = Path(NODE_MODULES, path).read_text() if path else HOSTILE[name]

        return Response(text, mimetype="text/css")

    @app.get("/scripts/<name>")
    def script(name: str) -> Response:
        text = Path(NODE_MODULES, SCRIPTS[name], "dist", "htmx.min.js").read_text()

        return Response(text, mimetype="text/javascript")

    app.add_url_rule("/", "index", page)
    app.add_url_rule("/about", "about", page)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
