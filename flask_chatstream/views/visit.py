"""What every request passes: whose chat it is and in which mount, and how its answer is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from flask import Response, current_app, request

from flask_chatstream.access import (
    Act,
    check_origin,
    keep_owner,
    request_values,
)
from flask_chatstream.errors import NotFound
from flask_chatstream.generation import Watch
from flask_chatstream.models import new_id
from flask_chatstream.mounts import Mount
from flask_chatstream.owners import get_owner
from flask_chatstream.state import State, find_state, get_state

from . import allowed
from .context import ChatView, make_chat
from .languages import Language, english, get_language, tell_caches

_ANY_ID = "0" * 32
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: the app's state, the mount's own name, the chats' owner, the language."""

    state: State
    mount: str
    owner: str
    language: Language

    def check(self, act: Act, object: str | None) -> None:
        """Ask the site's rule about an act that the URL does not tell; as `get_visit`."""

        allowed.check(self.state, self.mount, self.owner, act, object)

    def watch(self, lifetime: float | None = None) -> Watch:
        """Be a viewer, for ``lifetime`` seconds at most."""

        return Watch(self.state.runtime, self.owner, lifetime)


def get_visit() -> Visit:
    """The visit of this request, with the tables in place, if the site's rule admits it.

    Raises `SignInRequired`, `Refused` (or `NotFound` for what is another's), `SchemaError` or
    `StorageUnavailable`.
    """

    state = get_state()
    mount = cast(Mount, current_app.blueprints[request.blueprint or ""])
    owner = get_owner(state, mount.owner_hook)
    state.ready()
    allowed.check_request(state, mount.name, owner)

    return Visit(state, mount.name, owner, english() if is_api() else get_language())


def before_request() -> None:
    """Give the request an id, and refuse what another site made and ids that cannot exist.

    Such ids are not for a database: PostgreSQL fails on a NUL where others find nothing.
    """

    request_values()["id"] = new_id()

    if _is_static():
        return

    check_origin(get_state().settings)

    for name in ("conversation_id", "message_id"):
        if not _ID.fullmatch((request.view_args or {}).get(name, _ANY_ID)):
            raise NotFound


def after_request(response: Response) -> Response:
    """Keep private things out of shared caches (S20), and the anonymous id with its browser."""

    if _is_static():
        return response

    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.vary.add("Cookie")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")

    if not is_api():
        tell_caches(response)

    if _is_page(response):
        response.mimetype = "text/html"

    if _may_be_same(response):
        response.add_etag()
        response.make_conditional(request)

    return keep_owner(response)


def _is_static() -> bool:
    return (request.endpoint or "").endswith(".static")


def _is_page(response: Response) -> bool:
    """Whether this is HTML, which a site's own response class may call something else."""

    is_json = is_api() or (request.endpoint or "").endswith(".token")

    return not is_json and response.mimetype == current_app.response_class.default_mimetype


def _may_be_same(response: Response) -> bool:
    """Whether a client that asks again may be told that nothing has changed."""

    is_whole = response.status_code == 200 and response.mimetype != "text/event-stream"

    return request.method == "GET" and is_api() and is_whole


def is_api() -> bool:
    """Whether the request is for the JSON API."""

    return (request.endpoint or "").rpartition(".")[2].startswith("api_")


def current_chat(view: str) -> ChatView:
    """The chat of this request's mount, for a template; the one of a refusal too."""

    mount = cast(Mount, current_app.blueprints[request.blueprint or ""])

    return make_chat(find_state(), mount.name, view)
