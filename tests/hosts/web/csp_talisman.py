"""A bank with Talisman: a policy of nonces alone, and every security header there is."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_talisman import Talisman

from tests.hosts.deployment import Deployment

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bank</title>
<link rel="icon" href="data:,"><script nonce="{{ csp_nonce() }}">window.ours = true;</script></head>
<body><h1>Bank</h1>{% if chatstream_widget is defined %}{{ chatstream_widget() }}{% endif %}</body>
</html>"""
POLICY = {
    "default-src": "'none'",
    "script-src": "'strict-dynamic'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a bank's")
    Talisman(
        app,
        force_https=False,  # TLS ends in front of it
        session_cookie_secure=False,
        content_security_policy=POLICY,
        content_security_policy_nonce_in=["script-src"],
    )

    @app.get("/")
    def index() -> str:
        return "A bank"

    @app.get("/account")
    def account() -> str:
        return render_template_string(PAGE)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
