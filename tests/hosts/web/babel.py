"""A site in two languages with Flask-Babel."""

from __future__ import annotations

from flask import Flask, render_template_string, request
from flask_babel import Babel, format_decimal, get_locale

from tests.hosts.deployment import Deployment


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["de", "en"], "de"))

    @app.get("/")
    def index() -> str:
        page = "{{ _('Price') }} {{ price }} ({{ locale }})"

        return render_template_string(page, price=format_decimal(1234.5), locale=get_locale())

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
