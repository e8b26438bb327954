"""A shop whose pages Vue draws: the curly brackets are the browser's, Jinja has other ones."""

from __future__ import annotations

from typing import Any

from flask import Flask, render_template_string
from jinja2 import DictLoader, StrictUndefined

from tests.hosts.deployment import Deployment

LAYOUT = """<!doctype html>
<html lang="en"><head><title><% block title %>Shop<% endblock %></title>
<meta property="og:title" content="[[ self.title() ]]">
<% block head %><meta name="layout"><% endblock %>
</head><body>
# if error is defined
<p class="alert">[[ error ]]</p>
# endif
<p id="notes">[[ messages[0] ]] [[ cart ]] in the cart. {{ total }}</p>
<main><% block content required %><% endblock %></main></body></html>"""
TEMPLATES = {
    "layout.html": LAYOUT,
    "base.html": """<% extends "layout.html" %>
<% block head %>[[ super() ]]<meta name="base"><% endblock %>""",
}


OPTIONS = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "[[",
    "variable_end_string": "]]",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
    "line_statement_prefix": "#",
    "trim_blocks": True,
    "lstrip_blocks": True,
    "undefined": StrictUndefined,
}


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.jinja_options = OPTIONS
    app.config.update(SECRET_KEY="a shop's", CHATSTREAM_BASE_TEMPLATE="base.html")
    app.jinja_loader = DictLoader(TEMPLATES)

    @app.context_processor
    def every_page() -> dict[str, Any]:
        return {"messages": ["Sale!"], "cart": 3, "content": "From the CMS", "fragment": "top"}

    @app.get("/")
    def index() -> str:
        return render_template_string("[[ cart ]] {{ total }}<% if cart %>!<% endif %>")

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
