"""A page of a host whose styles reach for everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template, render_template_string, request, url_for
from markupsafe import Markup

from .state import Stub

HOSTILE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Host</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/hostile.css">{{ head }}</head><body><main id="content"><h1>A shop</h1>
<p>Some text of the host, with <a href="/host">a link</a> and <button>a button</button>.</p>
{{ panel }}</main>{{ widget }}</body></html>"""

HOSTILE_CSS = """
*, *::before, *::after { box-sizing: content-box; margin: 0; padding: 0; }
html { font-size: 62.5%; }
body { font: italic 22px/1 "Times New Roman", serif; color: #a00; text-align: center;
  letter-spacing: 2px; text-transform: uppercase; background: #fdf6e3; }
#content { max-width: 60rem; margin: 4rem auto; } p { margin: 3em 0; text-indent: 2em; }
button, input, textarea { all: unset; border: 4px solid lime; background: yellow; width: 100%; }
a, #content a { color: red; text-decoration: underline wavy; } a::after { content: " ↗"; }
svg { width: 100%; fill: red; stroke: none; display: block; } path { fill: red; }
section, header, footer, article, form { border: 2px dashed orange; padding: 20px; float: left; }
h1, h2, h3 { font-size: 60px; color: green; } ul { list-style: square; } li { float: left; }
table, td, th { border: 3px solid blue; }
pre, code { background: #000; color: #0f0; white-space: normal; }
[hidden] { display: block; } textarea { resize: both; height: 200px; }
"""


def add_host(app: Flask, stub: Stub) -> None:
    @app.get("/host")
    def host() -> str:
        head = Markup(stub.host_script)

        def part(name: str, wanted: bool) -> Markup:
            if not wanted:
                return Markup("")

            return Markup(
                render_template(f"chatstream/{name}.html", chat=stub.chat("widget"), url_for=_local)
            )

        return render_template_string(
            HOSTILE,
            head=head,
            widget=part("_widget", "panel" not in request.args),
            panel=part("_panel", "panel" in request.args),
        )

    @app.get("/hostile.css")
    def hostile() -> Response:
        return Response(HOSTILE_CSS, mimetype="text/css")

    @app.get("/assets/<path:name>")
    def assets(name: str) -> Response:
        return Response(Path(stub.chosen[name]).read_text(), mimetype="text/javascript")


def _local(endpoint: str, **values: Any) -> str:
    return url_for(f"chatstream{endpoint}", **values)
