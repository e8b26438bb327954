"""Our templates say the same in every environment that a site may have made of Jinja's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, before_render_template, render_template_string, template_rendered
from flask.templating import Environment
from jinja2 import DictLoader, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from tests.hosts import HTML, HTMX, Host, chat, open_host

BASE = """<title>{% block title %}Site{% endblock %}</title>{% block head %}{% endblock %}
<p>{{ cart }}</p>{% block content %}{% endblock %}"""
#: Differs from visit to visit.
OWN = re.compile(
    r"[0-9a-f]{32,33}|\d{4}-\d\d-\d\d[T ][\d:.+]*( UTC)?|cursor=[^&\"]+|cursor=\"[^\"]*"
)


class Relative(Environment):
    """Names of templates are relative to the one that includes them."""

    def join_path(self, template: str, parent: str) -> str:
        return os.path.join(os.path.dirname(parent), template)


class Sandbox(ImmutableSandboxedEnvironment, Environment):
    """Whose templates are written by customers."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return False


class Tags(Extension):
    """A tag of the site's."""

    tags = {"bell"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        from jinja2 import nodes

        return nodes.Output([nodes.TemplateData("ding")], lineno=next(parser.stream).lineno)


def _options(**options: Any) -> Callable[[Flask], None]:
    return lambda app: setattr(app, "jinja_options", options)


def _environment(**attributes: Any) -> Callable[[Flask], None]:
    """Set on the environment, which the site has already."""

    def prepare(app: Flask) -> None:
        for name, value in attributes.items():
            setattr(app.jinja_env, name, value)

    return prepare


def _kind(kind: type[Environment]) -> Callable[[Flask], None]:
    return lambda app: setattr(app, "jinja_environment", kind)


def _names(app: Flask) -> None:
    """Names of the site's own that are ours too."""

    taken = ["oob", "fragment", "closable", "content", "error", "action", "message", "chat"]
    app.context_processor(lambda: dict.fromkeys(taken, "Taken"))
    app.jinja_env.globals.update(dict.fromkeys(taken, "Taken"))


def _loader(app: Flask) -> None:
    app.jinja_env.loader = DictLoader({"base.html": BASE})


CURLY = {"variable_start_string": "${", "variable_end_string": "}"}
ODD: dict[str, Callable[[Flask], None]] = {
    "delimiters": _options(**CURLY, block_start_string="<%", block_end_string="%>"),
    "delimiters-later": _environment(**CURLY),
    "line-statements": _environment(line_statement_prefix="#", line_comment_prefix="*"),
    "whitespace": _options(trim_blocks=True, lstrip_blocks=True, newline_sequence="\r\n"),
    "no-escape": _options(autoescape=False),
    "no-escape-later": _environment(autoescape=False),
    "escape-twice": _environment(autoescape=False, finalize=escape),
    "shout": _environment(finalize=lambda value: Markup(str(value).upper())),
    "strict": _environment(undefined=StrictUndefined),
    "async": _options(enable_async=True),
    "relative": _kind(Relative),
    "sandbox": _kind(Sandbox),
    "names": _names,
    "loader": _loader,
}


@contextmanager
def _host(
    folder: Path, prepare: Callable[[Flask], None] = lambda app: None, **config: Any
) -> Iterator[Host]:
    def build(app: Flask) -> None:
        app.jinja_loader = FileSystemLoader(folder)
        app.add_url_rule("/desk", "desk", lambda: app.jinja_env.globals["chatstream_panel"]())
        prepare(app)

    with open_host(folder, build, CHATSTREAM_SUGGESTIONS=["<Hello>?"], **config) as host:
        yield host


def _look(host: Host) -> list[str]:
    """What is seen of a chat, without what differs from one to the next."""

    client = host.client()
    host.provider.enqueue("# An *answer*")
    empty = client.get("/chat/", headers=HTML).text
    id = chat(client, "<b>Hi</b> & {{ bye }}")["conversation_id"]
    url = f"/chat/c/{id}"
    seen = [
        empty,
        client.get("/desk").text,
        client.get(url, headers=HTML).text,
        client.get(f"{url}/events?cursor=0").text,
        client.get(f"{url}/events?cursor=0&poll=1", headers=HTMX).text,
        client.post(f"{url}/messages", data={"content": ""}, headers=HTMX).text,
        client.post(f"{url}/messages", data={"content": "\0"}, headers=HTML).text,
    ]

    return [OWN.sub("-", text) for text in seen]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is seen in a site with Flask's own environment."""

    with _host(tmp_path_factory.mktemp("usual")) as host:
        return _look(host)


@pytest.mark.parametrize("prepare", [pytest.param(p, id=name) for name, p in ODD.items()])
def test_every_environment_shows_the_same(
    prepare: Callable[[Flask], None], usual: list[str], tmp_path: Path
) -> None:
    with _host(tmp_path, prepare) as host:
        assert _look(host) == usual


@pytest.mark.parametrize("name", ["async", "no-escape", "strict", "relative", "loader", "names"])
def test_every_environment_can_hold_the_page(name: str, tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text(BASE)

    def prepare(app: Flask) -> None:
        ODD[name](app)
        app.context_processor(lambda: {"cart": "Three"})

    with _host(tmp_path, prepare, CHATSTREAM_BASE_TEMPLATE="base.html") as host:
        page = host.client().get("/chat/", headers=HTML).text

    assert "<title>Chat</title>" in page
    assert "<p>Three</p>" in page
    assert page.count("chatstream.css") == page.count('class="cs-root') == 1


def test_a_sites_own_partial_is_in_our_syntax_with_its_globals_filters_and_tags(
    tmp_path: Path,
) -> None:
    (tmp_path / "chatstream").mkdir()
    own = tmp_path / "chatstream" / "_empty.html"
    own.write_text("{% bell %} {{ shop() }} {{ 'a'|loud }} {{ cart }} {% include 'note.html' %}")
    (tmp_path / "note.html").write_text("${ cart } ${ chat.view } {{ raw }}")

    def prepare(app: Flask) -> None:
        app.jinja_options = {**CURLY, "autoescape": False, "extensions": [Tags]}
        app.add_template_global(lambda: "<Shop>", "shop")
        app.add_template_filter(str.upper, "loud")
        app.context_processor(lambda: {"cart": "<3>"})

    with _host(tmp_path, prepare) as host:
        page = host.client().get("/chat/", headers=HTML).text

    assert "ding &lt;Shop&gt; A &lt;3&gt; <3> page {{ raw }}" in page


@pytest.mark.parametrize("reloads", [True, False])
def test_templates_are_read_again_where_the_site_wants_it(reloads: bool, tmp_path: Path) -> None:
    (tmp_path / "chatstream").mkdir()
    own, base = tmp_path / "chatstream" / "_badge.html", tmp_path / "base.html"
    config = {"CHATSTREAM_BASE_TEMPLATE": "base.html", "TEMPLATES_AUTO_RELOAD": reloads}
    seen = []

    def write(text: str, at: float) -> None:
        for path in (own, base):
            path.write_text(f"{text} {path.name} {{% block content %}}{{% endblock %}}")
            os.utime(path, (at, at))

    write("Old", 1_000_000_000)

    with _host(tmp_path, **config) as host:
        for _ in range(2):
            seen.append(host.client().get("/chat/", headers=HTML).text)
            write("New", 1_100_000_000)

    assert "Old base.html" in seen[0] and "Old _badge.html" in seen[0]
    word = "New" if reloads else "Old"
    assert f"{word} base.html" in seen[1] and f"{word} _badge.html" in seen[1]


def test_what_a_site_keeps_compiled_is_not_ours(tmp_path: Path, usual: list[str]) -> None:
    """One cache knows a template by its name alone; ours would not have been escaped."""

    def prepare(app: Flask) -> None:
        app.jinja_options = {"autoescape": False}
        app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(tmp_path))

    with _host(tmp_path, prepare) as host:
        for name in ("_body", "_message", "_fragments"):
            host.app.jinja_env.get_template(f"chatstream/{name}.html")

        assert list(tmp_path.glob("*.cache"))
        assert _look(host) == usual


def test_signals_and_what_their_hearers_add(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text(BASE)
    told: list[tuple[str, str | None]] = []

    with _host(tmp_path, CHATSTREAM_BASE_TEMPLATE="base.html") as host:

        def before(sender: Flask, template: Any, context: dict[str, Any], **rest: Any) -> None:
            context["cart"] = "From a hearer"
            told.append(("before", template.name))

        def after(sender: Flask, template: Any, context: dict[str, Any], **rest: Any) -> None:
            told.append(("after", template.name))
            assert context["chat"].view == "page"

        with (
            before_render_template.connected_to(before, host.app),
            template_rendered.connected_to(after, host.app),
        ):
            page = host.client().get("/chat/", headers=HTML).text

    assert "<p>From a hearer</p>" in page
    assert told[0] == ("before", "chatstream/page.html")
    assert told[-1] == ("after", "chatstream/page.html")


def test_a_widget_is_called_for_in_any_environment(tmp_path: Path) -> None:
    """In an asynchronous one too, where the site's page is being drawn by an event loop."""

    def prepare(app: Flask) -> None:
        app.jinja_options = {"enable_async": True, "autoescape": False}

    with _host(tmp_path, prepare) as host, host.app.test_request_context("/"):
        page = render_template_string("{{ chatstream_widget() }}{{ chatstream_panel() }}")

    assert page.count('class="cs-root') == 2
