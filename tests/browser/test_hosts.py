"""At home in any site, in a real browser: its htmx, its policy, its styles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from flask_chatstream.providers.scripted import Pause
from tests.hosts import serve
from tests.hosts.matrix import web
from tests.hosts.site import Site, open_site
from tests.services import missing

from .conftest import WATCH_CSP
from .looking import NODE_MODULES

PARTS = "```python\nprint(1)\n```\n\n| a | b |\n|--:|---|\n| 1 | 2 |\n\n1. one\n   - two"

#: Of every element in the chat: where it is, and what a foreign style would change first.
MEASURE = """() => {
  const root = document.querySelector("chat-widget .cs-panel");
  const origin = root.getBoundingClientRect();
  const names = `color background-color display float opacity font-family font-size font-style
    font-weight line-height letter-spacing text-transform text-align text-indent white-space
    text-decoration-line list-style-type padding margin border-width border-radius
    fill stroke stroke-width visibility`.split(/\\s+/);
  return [root, ...root.querySelectorAll("*")].map((node) => {
    const box = node.getBoundingClientRect();
    const place = [box.x - origin.x, box.y - origin.y, box.width, box.height].map(Math.round);
    const style = getComputedStyle(node);
    const shown = place[2] && place[3];
    const looks = shown ? names.map((name) => `${name}:${style.getPropertyValue(name)}`) : [];
    return [node.tagName, String(node.getAttribute("class")), ...place, ...looks];
  });
}"""


@pytest.fixture
def host(tmp_path: Path, sqlite_url: str, browser_page: Page) -> Iterator[Callable[..., Site]]:
    """Serves a host and opens one of its pages."""

    if not (NODE_MODULES / "bootstrap").is_dir():
        missing("node_modules/bootstrap")

    with ExitStack() as stack:

        def start(name: str, path: str = "/") -> Site:
            site = stack.enter_context(open_site(web(name), tmp_path, sqlite_url))
            address = stack.enter_context(serve(site.app))
            browser_page.add_init_script(WATCH_CSP)
            browser_page.goto(address + path, wait_until="domcontentloaded")

            return site

        yield start


def _widget(page: Page) -> Locator:
    page.wait_for_function("() => window.htmx && customElements.get('chat-widget')")
    page.locator(".cs-launcher").click()
    expect(page.locator("chat-widget .cs-live")).to_be_visible()

    return page.locator("chat-widget")


def _ask(page: Page, text: str) -> None:
    field = page.locator("textarea[name=content]")
    field.fill(text)
    field.press("Enter")


def _answer(page: Page) -> Locator:
    return page.locator('.cs-message[data-role="assistant"]:not(.cs-pending)').last


@pytest.mark.parametrize("htmx", ["", "1", "2", "4"])
def test_beside_the_sites_own_htmx(host: Any, browser_page: Page, htmx: str) -> None:
    """Neither fires twice nor takes the other's targets; an expired token is renewed."""

    page, pause = browser_page, Pause()
    site = host("magazine", f"/?htmx={htmx}&css=plain")
    site.provider.enqueue("Of **all** kinds.")
    site.provider.enqueue("Half an ans", pause, "wer")
    widget = _widget(page)
    _ask(page, "Which teas?")
    expect(_answer(page)).to_have_attribute("data-status", "completed")
    expect(_answer(page).locator("strong")).to_have_text("all")

    if htmx:
        page.locator("#load").click()
        expect(page.locator("#more")).to_have_text("1")
        assert site.app.extensions["magazine"] == ["magazine"]

    page.context.clear_cookies(name="session")
    _ask(page, "And after a long night?")
    pause.wait_reached()
    expect(_answer(page)).to_contain_text("Half an ans")
    page.get_by_role("button", name="Stop answering").click()
    expect(_answer(page)).to_have_attribute("data-status", "cancelled")

    assert [m.content for m in site.messages() if m.role == "user"] == [
        "Which teas?",
        "And after a long night?",
    ]
    expect(widget.locator(".cs-message")).to_have_count(4)
    assert page.evaluate("() => document.querySelectorAll('script[src*=htmx]').length") <= 1


@pytest.mark.parametrize("htmx", ["1", "2", "4"])
def test_on_boosted_pages(host: Any, browser_page: Page, htmx: str) -> None:
    page = browser_page
    site = host("magazine", f"/?htmx={htmx}&css=plain&boost=1")
    page.wait_for_function("() => window.htmx && customElements.get('chat-widget')")
    page.locator("#about").click()
    expect(page.locator("h1").first).to_have_text("about")
    site.provider.enqueue("On a swapped page.")
    _widget(page)
    _ask(page, "Still here?")
    expect(_answer(page)).to_contain_text("On a swapped page.")
    expect(page.locator("chat-widget")).to_have_count(1)

    page.locator("#chat").click()
    page.wait_for_url(re.compile("/chat/"))
    page.wait_for_function("() => window.htmx && document.querySelector('.cs-page .cs-live')")
    site.provider.enqueue("On the page itself.")
    _ask(page, "And here?")
    expect(_answer(page)).to_contain_text("On the page itself.")
    assert len(site.messages()) == 4
    assert page.locator(".cs-page").evaluate("(e) => getComputedStyle(e).display") != "block"


def test_a_web_token_is_exchanged_under_an_open_page(host: Any, browser_page: Page) -> None:
    """The page said that one may have been signed out."""

    page = browser_page
    site = host("login_jwt_cookies")
    page.evaluate("""async () => {
      const body = new URLSearchParams({ name: "ada" });
      await fetch("/sign-in", { method: "POST", body });
    }""")
    page.goto(f"{page.url}chat/")
    page.wait_for_function("() => window.htmx && document.querySelector('.cs-page .cs-live')")
    status = page.evaluate("""async () => {
      const headers = { "X-CSRFToken": document.querySelector(".cs-root").dataset.csrfToken };
      return (await fetch("/exchange", { method: "POST", headers })).status;
    }""")
    site.provider.enqueue("Still yours.")
    _ask(page, "Am I still here?")

    assert status == 200
    expect(_answer(page)).to_contain_text("Still yours.")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_token_for_each_act(host: Any, browser_page: Page) -> None:
    """A form's field is all that the site looks at, and one act uses its token up."""

    site = host("csrf_snippet")
    widget = _widget(browser_page)
    pause = Pause()
    site.provider.enqueue("The first.")
    site.provider.enqueue("The second", pause)
    _ask(browser_page, "One?")
    expect(_answer(browser_page)).to_contain_text("The first.")
    _ask(browser_page, "Two?")
    expect(_answer(browser_page)).to_contain_text("The second")
    widget.get_by_role("button", name="Stop").click()
    expect(_answer(browser_page)).to_have_attribute("data-status", "cancelled")

    assert [m.content for m in site.messages() if m.role == "user"] == ["One?", "Two?"]


def test_the_wait_of_the_sites_own_limiter_is_shown(host: Any, browser_page: Page) -> None:
    """The words were the limiter's rule, and the page did not say how long it would be."""

    page = browser_page
    site = host("limiter_everywhere", "/chat/")
    page.wait_for_function("() => window.htmx && document.querySelector('.cs-page .cs-live')")
    page.evaluate("""async () => {
      while ((await fetch("/chat/c", { method: "POST" })).status !== 429);
    }""")
    _ask(page, "Please keep this")
    notice = page.get_by_role("alert")

    expect(notice).to_contain_text("Too many requests at once. Please wait a moment.")
    expect(notice.locator(".cs-retry")).to_have_text(re.compile(r"Try again \(\d\d:\d\d\)"))
    expect(notice.locator(".cs-retry")).to_be_disabled()
    expect(page.locator("textarea[name=content]")).to_have_value("Please keep this")
    assert site.messages() == []


@pytest.mark.parametrize("path", ["/account", "/chat/"])
def test_under_talismans_policy_of_nonces(host: Any, browser_page: Page, path: str) -> None:
    """Our scripts had no nonce, and a policy with ``'strict-dynamic'`` refused them."""

    page = browser_page
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if "Content Security" in m.text else 0)
    site = host("csp_talisman", path)
    site.provider.enqueue(
        "Within the **policy**.\n\n```python\nprint(1)\n```\n\n|a|b|\n|-:|-|\n|1|2|"
    )

    if path == "/account":
        _widget(page)
    else:
        page.wait_for_function("() => window.htmx && document.querySelector('.cs-live')")

    _ask(page, "May you?")
    expect(_answer(page)).to_have_attribute("data-status", "completed")
    expect(_answer(page).locator("strong")).to_have_text("policy")
    assert page.evaluate("() => window.violations") == []
    assert complaints == []


def test_the_widget_looks_the_same_under_other_styles(host: Any, browser_page: Page) -> None:
    """Icons were empty under ``* { all: unset }``, which takes a path's own ``d`` away."""

    page = browser_page
    page.emulate_media(reduced_motion="reduce")
    site = host("magazine", "/?css=plain")
    site.provider.enqueue(f"Of **all** kinds.\n\n{PARTS}")
    _widget(page)
    _ask(page, "Which?")
    expect(_answer(page)).to_have_attribute("data-status", "completed")
    plain = _look(page, "plain")

    for css in (
        "bootstrap",
        "tailwind",
        "tailwind-v4",
        "meyer",
        "unset",
        "unset-parts",
        "important",
        "shouting",
    ):
        for element, same in zip(_look(page, css), plain, strict=True):
            assert element == same, css

    icons = page.locator(".cs-panel .cs-header .cs-icon").count()
    assert icons > 0
    assert len(plain) > 60


def _look(page: Page, css: str) -> Any:
    page.goto(re.sub(r"css=.*", f"css={css}", page.url))
    page.wait_for_function("() => document.querySelector('chat-widget .cs-live[data-conn=idle]')")
    expect(_answer(page)).to_have_attribute("data-status", "completed")
    inks = page.locator(".cs-sprite .cs-ink").evaluate_all(
        "(all) => all.map((e) => [getComputedStyle(e).d, getComputedStyle(e).rx])"
    )

    return [*page.evaluate(MEASURE), *inks]


@pytest.mark.parametrize("css", ["huge", "tiny"])
def test_the_widget_stays_whole_at_any_size_of_text(
    host: Any, browser_page: Page, css: str
) -> None:
    page = browser_page
    site = host("magazine", f"/?css={css}")
    site.provider.enqueue("Of all kinds.")
    _widget(page)
    _ask(page, "Which?")
    expect(_answer(page)).to_contain_text("Of all kinds.")
    view = page.viewport_size
    assert view is not None

    for name in ("Send message", "Close the chat", "New chat"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None and min(box["width"], box["height"]) >= 28, name
        assert box["x"] >= 0 and box["x"] + box["width"] <= view["width"], name
        assert box["y"] >= 0 and box["y"] + box["height"] <= view["height"], name

    size = page.locator(".cs-content").last.evaluate(
        "(e) => parseFloat(getComputedStyle(e).fontSize)"
    )
    assert size >= 14


@pytest.mark.parametrize("language", ["ar", "en"])
@pytest.mark.parametrize("css", ["plain", "bootstrap-rtl"])
def test_the_widget_on_a_page_from_right_to_left(
    host: Any, browser_page: Page, css: str, language: str
) -> None:
    """The corner is the page's; what is in the chat runs as its language does."""

    page = browser_page
    page.set_extra_http_headers({"Accept-Language": language})
    host("magazine", f"/?css={css}&dir=rtl")
    widget = _widget(page)
    names = (".cs-panel", '[data-action="close"]', ".cs-send")
    panel, close, send = (widget.locator(name).bounding_box() for name in names)
    assert panel and close and send

    assert panel["x"] < 100
    starts = [button["x"] - panel["x"] for button in (close, send)]
    ends = [panel["width"] - x for x in starts]
    assert max(starts if language == "ar" else ends) < 60
