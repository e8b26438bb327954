"""Our templates in a Jinja environment of their own, and the site's base template around them.

What stands below ``chatstream/``, a site's own versions too, is written in Jinja's usual syntax and
is escaped, whatever the site's environment does. Every other name is the site's: it is compiled in
the site's environment, and a base template is given nothing but the site's own values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from blinker import NamedSignal
from flask import Flask, before_render_template, current_app, template_rendered
from jinja2 import BaseLoader, Environment, FileSystemLoader, Template, TemplateNotFound

from .base import Base
from .context import ChatView
from .languages import get_language
from .words import make_words

FOLDER = Path(__file__).parents[1] / "templates"
PREFIX = "chatstream/"
#: Variables that a template of ours may lack. What a site calls so is not meant.
SOMETIMES = ("closable", "content", "error", "fragment", "oob")

_PLAIN = Environment(autoescape=True)
#: What a site may have set otherwise, and what is ours again.
_SYNTAX = (
    "autoescape",
    "block_end_string",
    "block_start_string",
    "bytecode_cache",  # it would mix up what two environments make of one file
    "comment_end_string",
    "comment_start_string",
    "finalize",
    "keep_trailing_newline",
    "line_comment_prefix",
    "line_statement_prefix",
    "lstrip_blocks",
    "newline_sequence",
    "optimized",
    "trim_blocks",
    "variable_end_string",
    "variable_start_string",
)

Source = tuple[str, str | None, Callable[[], bool] | None]


def render_part(name: str, /, **values: Any) -> str:
    """The HTML of a partial, with its values and those that the site gives to every template."""

    return _render(name, _site_values(), values)


def render_page(name: str, /, chat: ChatView, **values: Any) -> str:
    """The HTML of a page of ours, in the base template that the site has named."""

    site, base = _site_values(), chat.base_template

    if isinstance(base, str) and not base.startswith(PREFIX):
        chat = replace(chat, base_template=Base(current_app.jinja_env.get_template(base), site))

    return _render(name, site, {"chat": chat, **values})


def find_file(app: Flask, name: str) -> Path:
    """The file of a template, which is below `FOLDER` unless the site has its own."""

    return Path(_get_template(app, name).filename or "")


def _site_values() -> dict[str, Any]:
    values: dict[str, Any] = {}
    current_app.update_template_context(values)

    return values


def _render(name: str, site: dict[str, Any], values: dict[str, Any]) -> str:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    template = _get_template(app, name)
    words = make_words(get_language(), {**template.environment.globals, **site})
    hidden = {key: template.environment.undefined(name=key) for key in SOMETIMES}
    ours = {**hidden, **words, **values}
    context = {**site, **ours}
    _tell(before_render_template, app, template, context)
    # Who hears this may have added something for the base template.
    site.update({key: value for key, value in context.items() if key not in ours})
    html = template.render(context)
    _tell(template_rendered, app, template, context)

    return html


def _tell(signal: NamedSignal, app: Flask, template: Template, context: dict[str, Any]) -> None:
    """Send a signal as Flask does for every template."""

    signal.send(app, _async_wrapper=app.ensure_sync, template=template, context=context)


def _get_template(app: Flask, name: str) -> Template:
    site = app.jinja_env

    if not hasattr(site, "chatstream"):
        site.extend(chatstream=_make_environment(site))

    ours: Environment = site.chatstream  # type: ignore[attr-defined]

    return ours.get_template(f"{PREFIX}{name}.html")


def _make_environment(site: Environment) -> Environment:
    """An environment with the site's globals, filters, tests and extensions, and our syntax."""

    syntax = {name: getattr(_PLAIN, name) for name in _SYNTAX}
    ours = site.overlay(**syntax, cache_size=400, loader=_Loader(site))
    ours.is_async = False
    # What a site's class does otherwise (paths, types, a sandbox) is for its own templates.
    ours.__class__ = Environment

    return ours


class _Loader(BaseLoader):
    """Ours, or the site's version, for names of ours; for other names the site's templates."""

    def __init__(self, site: Environment):
        self._site = site
        self._files = FileSystemLoader(FOLDER)

    def load(self, environment: Environment, name: str, globals: Any = None) -> Template:
        if not name.startswith(PREFIX):
            return self._site.get_template(name)

        return super().load(environment, name, globals)

    def get_source(self, environment: Environment, template: str) -> Source:
        loader = self._site.loader

        if loader is not None and loader.has_source_access:
            try:
                return loader.get_source(environment, template)
            except TemplateNotFound:
                pass

        return self._files.get_source(environment, template)
