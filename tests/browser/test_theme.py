"""Five properties theme the chat: everything else is derived from them, and can still be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, render_template_string
from playwright.sync_api import Browser, Page, expect

from flask_chatstream import ProviderError
from tests.hosts import Host, chat, open_host, serve

PAGE = """<!doctype html><html lang="en"><head><title>Shop</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/theme.css"></head>
<body><h1>Shop</h1>{{ chatstream_%s() }}</body></html>"""

ANSWER = """# Opening hours

We open at **nine**, see [our page](https://example.org) and `hours.txt`.

> Closed on Sundays.

- Monday
- [x] Tuesday

| day | from |
|---|---|
| Monday | 9 |

```python
def hours(day: str) -> int:  # the first hour
    return 9 if day != "Sunday" else None
```
"""

#: Rules of a host for `.cs-root`.
THEMES = {
    "ours": "",
    "a bright brand": "--cs-accent: #ffc107;",
    "a dark brand": "--cs-accent: #1a237e;",
    "teal": """--cs-bg: light-dark(#fffdf8, #1b1f1e); --cs-text: light-dark(#1c2b28, #e8efec);
      --cs-accent: light-dark(#0f766e, #5eead4); --cs-radius: 6px; --cs-font: Georgia, serif;""",
    "named": """--cs-bg: light-dark(ivory, black); --cs-text: light-dark(black, ivory);
      --cs-accent: light-dark(rebeccapurple, gold); --cs-radius: 0; --cs-font: monospace;""",
    "modern": """--cs-bg: light-dark(oklch(.97 .02 90), oklch(.2 .03 260));
      --cs-text: light-dark(oklch(.25 .03 250), oklch(.95 .01 90));
      --cs-accent: light-dark(oklch(.45 .2 20), oklch(.8 .12 150)); --cs-radius: 24px;""",
    "always dark": """--cs-scheme: dark; --cs-bg: #10141f; --cs-text: #e6e9f2;
      --cs-accent: #c084fc;""",
    "always light": """--cs-scheme: light; --cs-bg: #fff8f0; --cs-text: #2a1a10;
      --cs-accent: #b45309;""",
}

#: Each text that can be seen, with its colour on what lies behind it, as the screen mixes them.
LOOK = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const mix = (colors) => {
    context.clearRect(0, 0, 1, 1);
    for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const root = document.querySelector(".cs-root");
  const seen = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    const box = element.getBoundingClientRect();
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
      || element.closest(".cs-sr-only, svg, noscript, template") || box.width < 2) continue;
    const behind = [];
    for (let node = element; node; node = node.parentElement)
      behind.unshift(getComputedStyle(node).backgroundColor);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const ground = mix([dark ? "#121212" : "#fff", ...behind]);
    const color = getComputedStyle(element).color;
    const front = mix([`rgb(${ground})`, color]);
    const [a, b] = [light(ground), light(front)].sort((x, y) => y - x);
    seen.push([(a + .05) / (b + .05), text.slice(0, 30), element.className, color, String(ground)]);
  }
  return seen;
}"""

STYLE = """([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Host]]:
    """A site whose style sheet is the theme that its cookie names."""

    folder = tmp_path_factory.mktemp("site")

    def prepare(app: Flask) -> None:
        app.template_folder = str(folder)
        app.add_url_rule("/theme/<name>.css", "theme", _theme)

        for view in ("widget", "panel"):
            page = PAGE.replace("/theme.css", "/theme/{{ request.args.theme }}.css") % view
            app.add_url_rule(f"/{view}", view, lambda page=page: render_template_string(page))

    base = '{% extends "chatstream/base.html" %}{% block head %}{{ super() }}'
    link = '<link rel="stylesheet" href="/theme/{{ request.args.theme }}.css">{% endblock %}'
    (folder / "base.html").write_text(base + link)

    with (
        open_host(folder, prepare, CHATSTREAM_BASE_TEMPLATE="base.html") as host,
        serve(host.app) as url,
    ):
        host.chat.owner_loader(lambda: "ann")
        host.provider.enqueue(ANSWER)
        host.provider.enqueue("Half", ProviderError("overloaded"))
        conversation = chat(host.client(), "When are you open?")["conversation_id"]
        failed = {"message": "And now?", "conversation_id": conversation, "stream": False}
        host.client().post("/chat/api/v1/chat", json=failed)

        yield url, host


def _theme(name: str) -> Response:
    return Response(f".cs-root {{ {THEMES[name]} }}", mimetype="text/css")


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a visitor who has chosen a scheme."""

    context = browser.new_context(
        color_scheme=request.param,
        reduced_motion="reduce",
        viewport={"width": 1100, "height": 1400},
    )
    yield context.new_page()
    context.close()


def _open(page: Page, url: str, view: str, theme: str) -> None:
    page.goto(f"{url}{'/chat/' if view == 'page' else f'/{view}'}?theme={theme}")

    if view == "widget":
        page.locator(".cs-launcher").click()

    expect(page.locator(".cs-failure")).to_be_visible()
    page.locator("textarea").fill("Some text")


@pytest.mark.parametrize(
    ("view", "theme"),
    [
        *(("page", theme) for theme in THEMES),
        *((view, theme) for view in ("widget", "panel") for theme in ("ours", "modern")),
    ],
)
def test_every_text_can_be_read(page: Page, site: tuple[str, Host], theme: str, view: str) -> None:
    _open(page, site[0], view, theme)
    seen: list[list[Any]] = page.evaluate(LOOK)
    said = " ".join(text for _, text, *_ in seen)

    assert "Opening hours" in said and "our page" in said and "overloaded" in said
    # WCAG 2.2, 1.4.3: 4.5:1 for text of a usual size.
    assert [row for row in seen if row[0] < 4.5] == []


def test_the_five_are_what_is_seen(page: Page, site: tuple[str, Host]) -> None:
    _open(page, site[0], "page", "named")
    is_dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    surface, text = ("black", "ivory") if is_dark else ("ivory", "black")
    accent = "gold" if is_dark else "rebeccapurple"

    def style(selector: str, name: str) -> str:
        return str(page.evaluate(STYLE, [selector, name]))

    def rgb(color: str) -> str:
        page.evaluate("(color) => { document.body.style.outlineColor = color }", color)
        return style("body", "outlineColor")

    assert style(".cs-page", "backgroundColor") == rgb(surface)
    assert style(".cs-log", "color") == rgb(text)
    assert style(".cs-send", "backgroundColor") == rgb(accent)
    assert style(".cs-log", "fontFamily") == "monospace"
    assert style(".cs-code", "borderRadius") == "0px"
    # The sign on the accent turns by itself: white on a dark one, black on a light one.
    lightness = page.evaluate(
        """() => { const c = document.createElement("canvas").getContext("2d");
          c.fillStyle = getComputedStyle(document.querySelector(".cs-send")).color;
          c.fillRect(0, 0, 1, 1); return c.getImageData(0, 0, 1, 1).data[0]; }"""
    )
    assert (lightness < 60) if is_dark else (lightness > 200)
