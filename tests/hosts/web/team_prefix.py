"""A site with the team in its paths, and views that take it as an argument."""

from __future__ import annotations

from flask import Flask, render_template_string, url_for

from tests.hosts.deployment import Deployment

PAGE = "<h1>{{ team }}</h1>{% if chatstream_panel is defined %}{{ chatstream_panel() }}{% endif %}"


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a site's")

    @app.get("/<team>/")
    def index(team: str) -> str:
        return f"The team {team} at {url_for('index', team=team)}"

    @app.get("/<team>/desk")
    def desk(team: str) -> str:
        return render_template_string(PAGE, team=team)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat, url_prefix="/<team>/help")

    return app
