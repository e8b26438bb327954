"""A site that escapes by hand, as its editors write HTML into everything."""

from __future__ import annotations

from typing import Any

from flask import Flask, render_template_string
from jinja2 import DictLoader

from tests.hosts.deployment import Deployment

LAYOUT = """<!doctype html>
<html lang="en"><head><title>{% block title %}{{ name|e }}{% endblock %}</title>
<meta property="og:title" content="{{ self.title() }}">
{% block head %}{{ markup }}{% endblock %}
</head><body>{% if error %}<p class="alert">{{ error }}</p>{% endif %}
<p id="notes">{{ messages[0] }} {{ cart }} in the cart. {{ "{{ total }}" }}</p>
<main>{% block content %}{% endblock %}</main></body></html>"""
TEMPLATES = {
    "layout.html": LAYOUT,
    "base.html": """{% extends "layout.html" %}
{% block head %}{{ super() }}<meta name="base">{% endblock %}""",
}


class Magazine(Flask):
    def select_jinja_autoescape(self, filename: str | None) -> bool:
        return False


def create_app(deployment: Deployment) -> Flask:
    app = Magazine(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a magazine's", CHATSTREAM_BASE_TEMPLATE="base.html")
    app.jinja_loader = DictLoader(TEMPLATES)
    app.jinja_env.globals["oob"] = "out of bounds"

    @app.context_processor
    def every_page() -> dict[str, Any]:
        notes = {"messages": ["Sale!"], "cart": 3, "content": "<b>From the CMS</b>"}

        return {**notes, "markup": '<meta name="layout">', "name": "Site"}

    @app.get("/")
    def index() -> str:
        return render_template_string("{{ content }}")

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
