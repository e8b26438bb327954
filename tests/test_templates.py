"""The templates are public: what the docs say of each is what it gets, and where it is used."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string
from jinja2 import Template, Undefined, meta
from jinja2.runtime import Context, missing

from flask_chatstream import ProviderError
from flask_chatstream.providers.scripted import Pause
from flask_chatstream.views import context
from flask_chatstream.views.differences import Difference
from flask_chatstream.views.refusals import ErrorView
from flask_chatstream.views.templates import SOMETIMES
from tests.hosts import API, HTML, HTMX, SSE, Host, begin, chat, events_of, open_host
from tests.services import ROOT

OURS = ROOT / "flask_chatstream" / "templates" / "chatstream"
NAMES = sorted(path.name for path in OURS.glob("*.html"))
DOCS = (ROOT / "docs" / "theming.md").read_text()
#: A template's row: its name, what it is for, its variables, and where it is seen.
ROW = re.compile(r"^\| `(\w+\.html)` \| [^|]+ \| ([^|]*) \| ([^|]*) \|$", re.M)
ROWS = {name: (variables, where) for name, variables, where in ROW.findall(DOCS)}
#: What Flask and Jinja add to every context, and what a template of ours sets for itself.
ALWAYS = {"request", "session", "g", "loop", "url_for", "log_id", "ask"}
ALWAYS |= {"_", "gettext", "ngettext"}
VALUES: dict[str, type] = {
    "chat": context.ChatView,
    "conversation": context.ConversationView,
    "message": context.MessageView,
    "block": context.BlockView,
    "item": context.ConversationItem,
    "error": ErrorView,
    "difference": Difference,
}
SURFACES = ("page", "widget", "panel", "htmx", "stream")


class Uses:
    """Everything that shows a template, done once in a host; the text by where it was seen."""

    def __init__(self, host: Host):
        self.host = host
        self.client = host.client()
        self.seen: dict[str, list[str]] = defaultdict(list)

    def get(self, where: str, url: str, **headers: str) -> str:
        text = self.client.get(url, headers=headers or HTML).get_data(as_text=True)
        self.seen[where].append(text)

        return text

    def post(self, where: str, url: str, text: str, headers: dict[str, str]) -> None:
        response = self.client.post(url, data={"content": text}, headers=headers)
        self.seen[where].append(response.get_data(as_text=True))

    def run(self) -> dict[str, str]:
        """Use everything; what was seen, joined."""

        self._look_at_nothing()
        first = self._follow_an_answer()
        self._talk_by_htmx(first)
        self._look_back()
        self._be_refused(first)
        self._be_nobody()

        return {where: "".join(texts) for where, texts in self.seen.items()}

    def _look_at_nothing(self) -> None:
        self.get("page", "/chat/")

        for view in ("widget", "panel"):
            self.get(view, f"/{view}")
            self.get(view, f"/chat/?view={view}", **HTMX)

    def _follow_an_answer(self) -> str:
        """An answer that fails, then one that is followed from its first words to its end."""

        gate = Pause()
        self.host.provider.enqueue("Half", ProviderError("overloaded"))
        self.host.provider.enqueue("# Head\n\nOne\n\n", gate, "Two")
        conversation: str = chat_that_fails(self.client)
        url = f"/chat/c/{conversation}"
        self.client.post(f"{url}/messages", data={"content": "Hi"}, headers=HTML)
        gate.wait_reached()
        self.get("page", url)
        stream = self.client.get(f"{url}/events?cursor=0", headers=SSE)
        events = events_of(stream)
        data = [next(event.data for event in events if "Head" in event.data)]
        gate.release()
        self.seen["stream"] += [*data, *(event.data for event in events)]
        stream.close()

        for where in ("page", "widget", "panel"):
            self.get(where, f"{url}?view={where}")

        return conversation

    def _talk_by_htmx(self, conversation: str) -> None:
        url, gate = f"/chat/c/{conversation}", Pause()
        self.host.provider.enqueue("Going ", gate, "on")
        self.post("htmx", f"{url}/messages", "And?", HTMX)
        gate.wait_reached()
        self.post("htmx", f"{url}/messages", "", HTMX)
        self.get("htmx", f"{url}/events?poll=1&cursor=0", **HTMX)
        gate.release()
        self.get("htmx", "/chat/list", **HTMX)

    def _look_back(self) -> None:
        """A conversation so long that its beginning is left out."""

        turns = [{"role": "user", "content": f"Turn {n}"} for n in range(210)]
        long = self.client.post(f"{API}/chat", json={"messages": turns, "stream": False}).json
        assert long is not None
        url = f"/chat/c/{long['conversation_id']}"

        for where in ("page", "widget", "panel"):
            text = self.get(where, f"{url}?view={where}")

        (before,) = set(re.findall(r"before=(\w+)", text))
        self.get("htmx", f"{url}/older?before={before}", **HTMX)

    def _be_refused(self, conversation: str) -> None:
        self.get("page", f"/chat/c/{'0' * 32}")
        self.post("page", "/chat/c", "x" * 40_000, HTML)
        self.get("htmx", f"/chat/c/{'0' * 32}", **HTMX)
        self.client.post("/chat/c", data={"content": "", "live": "1"}, headers=HTMX)

    def _be_nobody(self) -> None:
        """A visitor who must sign in first."""

        state = self.host.state
        usual, state.settings = state.settings, replace(state.settings, anonymous="sign_in")
        self.client = self.host.client()

        for view in ("widget", "panel"):
            self.get(view, f"/chat/?view={view}", **HTMX)

        state.settings = usual


def chat_that_fails(client: Any) -> str:
    value = client.post(f"{API}/chat", json={"message": "Hi", "stream": False}).get_json()
    conversation: str = value["conversation_id"]

    return conversation


def add_pages(app: Flask) -> None:
    for view in ("widget", "panel"):
        app.add_url_rule(
            f"/{view}",
            view,
            lambda view=view: render_template_string(f"{{{{ chatstream_{view}() }}}}"),
        )


def _record(app: Flask, found: dict[str, list[dict[str, Any]]]) -> None:
    """Note the context of every template that is rendered or included."""

    class Recording(Template):
        def new_context(
            self,
            vars: dict[str, Any] | None = None,
            shared: bool = False,
            locals: Any = None,
        ) -> Context:
            given = {
                **(vars or {}),
                **{k: v for k, v in (locals or {}).items() if v is not missing},
            }

            if self.name is not None:
                globals = ALWAYS | set(app.jinja_env.globals)
                known = {
                    key: value
                    for key, value in given.items()
                    if key not in globals and not isinstance(value, Undefined)
                }
                found[self.name.removeprefix("chatstream/")].append(known)

            return super().new_context(vars, shared, locals)

    app.jinja_env.template_class = Recording


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What each template got, each time."""

    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    folder = tmp_path_factory.mktemp("recorded")

    def prepare(app: Flask) -> None:
        add_pages(app)
        _record(app, found)

    with open_host(folder, prepare, CHATSTREAM_SUGGESTIONS=["Hello?"]) as host:
        Uses(host).run()

    return found


@pytest.fixture(scope="module")
def overridden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What is seen of a host that has its own of every template, by where it is seen."""

    folder = tmp_path_factory.mktemp("overridden")
    templates = folder / "templates" / "chatstream"
    templates.mkdir(parents=True)

    for name in NAMES:
        source, mark = (OURS / name).read_text(), f"@@{name}@@"
        mine = mark + source

        # What stands outside of its blocks is not seen of a template that extends another.
        if "{% extends" in source:
            mine = source.replace("{% block content %}", "{% block content %}" + mark)

        (templates / name).write_text(mine)

    def prepare(app: Flask) -> None:
        app.template_folder = str(folder / "templates")
        add_pages(app)

    with open_host(folder, prepare, CHATSTREAM_SUGGESTIONS=["Hello?"]) as host:
        yield Uses(host).run()


def _documented(name: str) -> tuple[set[str], set[str]]:
    """The variables that a template always gets, and those that it sometimes gets."""

    always, _, sometimes = ROWS[name][0].partition("; sometimes ")

    return set(re.findall(r"`(\w+)`", always)), set(re.findall(r"`(\w+)`", sometimes))


def test_every_template_is_documented_and_no_other() -> None:
    assert sorted(ROWS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_documented_is_what_it_gets(
    name: str, recorded: dict[str, list[dict[str, Any]]]
) -> None:
    always, sometimes = _documented(name)
    # A parent template has the context of the page that extends it, and is not told of apart.
    given = recorded[name] or recorded["page.html"] + recorded["error.html"]

    assert set.intersection(*(set(values) for values in given)) == always
    assert sometimes <= set.union(*(set(values) for values in given)) - always

    for key, kind in VALUES.items():
        assert all(isinstance(values[key], kind) for values in given if key in always)


def test_what_is_sometimes_missing_is_never_the_sites() -> None:
    documented = set.union(*(_documented(name)[1] for name in NAMES))

    assert documented == set(SOMETIMES)


@pytest.mark.parametrize("name", NAMES)
def test_ours_use_nothing_else(name: str, app: Flask) -> None:
    tree = app.jinja_env.parse((OURS / name).read_text())
    used = meta.find_undeclared_variables(tree) - ALWAYS - set(app.jinja_env.globals)
    # Globals of the chat, and of hosts that have a nonce for scripts.
    used -= {"chatstream_assets", "csp_nonce"}
    always, sometimes = _documented(name)

    assert used <= always | sometimes
    assert sometimes <= used


@pytest.mark.parametrize("name", NAMES)
def test_a_host_overrides_one_and_sees_it_where_it_is_used(
    name: str, overridden: dict[str, str]
) -> None:
    where = [surface for surface in SURFACES if f"@@{name}@@" in overridden[surface]]

    assert where
    assert ", ".join(where) == ROWS[name][1]


@pytest.mark.parametrize("key", VALUES)
def test_every_field_of_a_value_is_documented_and_no_other(key: str) -> None:
    kind = VALUES[key]
    properties = {name for name, value in vars(kind).items() if isinstance(value, property)}
    fields = {field.name for field in dataclasses.fields(kind)} | properties
    (section,) = re.findall(rf"^### `{key}`.*?\n(.*?)(?=^##|\Z)", DOCS, re.M | re.S)

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == fields


def test_a_stream_is_the_same_through_templates(tmp_path: Path) -> None:
    """The blocks that are written without a template are those of the template."""

    texts = []

    for themed in (False, True):
        folder = tmp_path / str(themed)
        (folder / "templates" / "chatstream").mkdir(parents=True)
        own = folder / "templates" / "chatstream" / "_block.html"

        if themed:
            own.write_text((OURS / "_block.html").read_text())

        with open_host(
            folder, lambda app, folder=folder: setattr(app, "template_folder", folder / "templates")
        ) as host:
            texts.append(_live_blocks(host))

    assert texts[0] == texts[1]
    assert "cs-final" in texts[0]


def _live_blocks(host: Host) -> str:
    gates = [Pause(), Pause()]
    host.provider.enqueue("One\n\nTw", gates[0], "o\n\nThree", gates[1])
    client = host.client()
    asked = begin(client)
    gates[0].wait_reached()
    stream = client.get(f"/chat/c/{asked['conversation_id']}/events", headers=SSE)
    events = events_of(stream)
    begun = next(event for event in events if "One" in event.data)
    gates[0].release()
    seen = next(event.data for event in events if "Three" in event.data)
    stream.close()
    # Who comes back with its cursor gets the same, without the message's beginning.
    headers = {**SSE, "Last-Event-ID": begun.id or ""}
    again = client.get(f"/chat/c/{asked['conversation_id']}/events", headers=headers)
    seen += next(event.data for event in events_of(again) if "Three" in event.data)
    gates[1].release()
    again.close()
    blocks = re.findall(r"<div id.*?</div>", seen)

    return re.sub(r"[0-9a-f]{32}", "ID", "".join(blocks))


def test_a_base_template_of_the_host(tmp_path: Path) -> None:
    """With the three blocks, and with ``content`` alone."""

    folder = tmp_path / "templates"
    folder.mkdir()
    content = "<main>{% block content %}{% endblock %}</main>"
    head = "<title>{% block title %}Site{% endblock %}</title>{% block head %}{% endblock %}"
    (folder / "whole.html").write_text(f"<head>{head}</head>{content}")
    (folder / "bare.html").write_text(f"<head><title>Site</title></head>{content}")

    for base in ("whole", "bare"):
        with open_host(
            tmp_path,
            lambda app: setattr(app, "template_folder", folder),
            CHATSTREAM_BASE_TEMPLATE=f"{base}.html",
            CHATSTREAM_TITLE="Help desk",
        ) as host:
            chat(host.client())
            page = host.client().get("/chat/", headers=HTML).text
            refused = host.client().get(f"/chat/c/{'0' * 32}", headers=HTML).text

        title = "Help desk" if base == "whole" else "Site"
        assert f"<title>{title}</title>" in page
        assert page.count("chatstream.css") == refused.count("chatstream.css") == 1
        assert page.index("<main>") < page.index("cs-root")
