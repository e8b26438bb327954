"""A platform whose requests, responses, JSON and error pages are its own."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from tests.hosts.deployment import Deployment


class TenantRequest(Request):
    @property
    def tenant(self) -> str:
        return self.headers.get("X-Tenant", "nobody")


class LoudResponse(Response):
    default_mimetype = "text/plain"


class OwnJSON(DefaultJSONProvider):
    """Names as JavaScript likes them."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return json.dumps(_camel(obj), default=str, indent=1)


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]

    if not isinstance(value, dict):
        return value

    return {re.sub("_(.)", lambda m: m[1].upper(), key): _camel(v) for key, v in value.items()}


class Platform(Flask):
    request_class = TenantRequest
    response_class = LoudResponse
    json_provider_class = OwnJSON


def create_app(deployment: Deployment) -> Flask:
    app = Platform(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a platform's")

    @app.before_request
    def need_tenant() -> None:
        assert isinstance(request, Request)
        request.tenant  # type: ignore[attr-defined]  # noqa: B018

    @app.errorhandler(HTTPException)
    def say(error: HTTPException) -> tuple[str, int]:
        return f"The platform says {error.code}.", error.code or 500

    @app.get("/")
    def index() -> dict[str, str]:
        return {"tenant_name": request.tenant}  # type: ignore[attr-defined]

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
