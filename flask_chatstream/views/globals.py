"""The names that a host's templates may use. None of them asks the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, after_this_request, has_request_context, url_for
from markupsafe import Markup

from flask_chatstream.access import login_owner, request_values
from flask_chatstream.state import State

from .context import make_chat
from .languages import tell_caches
from .templates import render_part


def add_globals(app: Flask, state: State) -> None:
    """Add ``chatstream_widget``, ``chatstream_panel`` and ``chatstream_assets`` to Jinja.

    To its globals and not by a context processor, which macros of an imported template do not see.
    To be called when the host has set up its Jinja; a name that it uses itself stays its own.
    """

    def chatstream_widget(mount: str | None = None) -> Markup:
        """The floating launcher with its chat; put it at the end of any page."""

        return _render(state, "_widget", mount, "widget")

    def chatstream_panel(conversation: str | None = None, mount: str | None = None) -> Markup:
        """A chat inside the page; ``conversation`` is an id, by default the newest."""

        return _render(state, "_panel", mount, "panel", conversation_id=conversation)

    def chatstream_assets(mount: str | None = None) -> Markup:
        """Style sheets and scripts, once per page; the other two emit them by themselves."""

        if has_request_context():
            if "assets" in request_values():
                return Markup("")

            request_values()["assets"] = True

        return _render(state, "_assets", mount, "page")

    for function in (chatstream_widget, chatstream_panel, chatstream_assets):
        app.jinja_env.globals.setdefault(function.__name__, function)


def _render(state: State, template: str, mount: str | None, view: str, **values: Any) -> Markup:
    if state.standing.mistake is not None:
        return Markup("")

    if state.settings.anonymous == "hidden" and view != "page" and not _is_known(state, mount):
        return Markup("")

    if has_request_context():
        after_this_request(tell_caches)

    chat = make_chat(state, mount or next(iter(state.mounts)), view)

    return Markup(render_part(template, chat=chat, url_for=_local(chat.name), **values))


def _is_known(state: State, mount: str | None) -> bool:
    """Whether somebody is signed in."""

    hook = state.mounts[mount or next(iter(state.mounts))].owner_hook

    return bool(hook() if hook is not None else login_owner())


def _local(name: str) -> Callable[..., str]:
    """``url_for`` on a host's page, where ``.x`` must mean the chat's blueprint."""

    def local_url_for(endpoint: str, **values: Any) -> str:
        return url_for(f"{name}{endpoint}" if endpoint.startswith(".") else endpoint, **values)

    return local_url_for
