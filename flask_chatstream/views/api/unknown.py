"""What the API says where it has nothing: JSON too, and which methods a known path takes.

Flask gives an address that no rule matches to the host's error pages, as it does not know whose it
is. So the API has rules for everything below its prefix, which any other rule goes before.
"""

from __future__ import annotations

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Rule

from flask_chatstream.errors import NotFound

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def unknown(path: str = "") -> ResponseReturnValue:
    """Nothing is here, or nothing with this method."""

    found = _find_rules()
    allowed = [*found, "OPTIONS"]

    if not found:
        raise NotFound("There is nothing at this address.")

    if any(rule.endpoint.rpartition(".")[0] != request.blueprint for rule in found.values()):
        # Below a mount at the site's root this may be the host's path; its handlers answer.
        request.url_rule = None

    if request.method == "OPTIONS":
        return Response(headers={"Allow": ", ".join(allowed)})

    raise MethodNotAllowed(allowed)


def _find_rules() -> dict[str, Rule]:
    """The rules of this address by the method for which they are."""

    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    found: dict[str, Rule] = {}

    for method in METHODS:
        try:
            rule, _ = adapter.match(method=method, return_rule=True)
        except HTTPException:
            continue

        if rule.endpoint != request.endpoint:
            found[method] = rule

    return found
