"""The docs' pictures: ``python -m tests.browser.screenshots`` takes them of the example app."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.services import ROOT, need
from tests.waiting import wait_for

from .e2e.person import Tab
from .e2e.site import answers, free_port

FOLDER = ROOT / "docs" / "screenshots"
ASKED = ("Where is my order?", "Compare SQLite and PostgreSQL", "Show me some Python code")


@contextmanager
def shop(folder: str) -> Iterator[str]:
    """The example app with an empty instance folder; its address."""

    port = free_port()
    environment = {
        **os.environ,
        "PORT": str(port),
        "SHOP_INSTANCE_PATH": folder,
        "SHOP_DEMO_SPEED": "1.5",
        "CHATSTREAM_PROVIDER": "demo",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "example_app"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"

    try:
        wait_for(lambda: answers(url), timeout=30)
        yield url
    finally:
        process.kill()
        process.wait(10)


def sign_in(browser: Browser, url: str, name: str) -> Page:
    """A page of a customer."""

    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_role("button", name=f"Sign in as {name}").first.click()
    expect(page.get_by_text("Sign out")).to_be_attached()

    return page


def take(page: Page, name: str, scheme: Literal["light", "dark"] = "light") -> None:
    """One picture, once all that moves has come to rest but the answer."""

    page.emulate_media(color_scheme=scheme)
    page.mouse.move(0, 0)
    page.wait_for_function(
        """() => document.getAnimations().every(({ playState, effect, timeline }) =>
          playState !== "running" || timeline !== document.timeline
          || effect.getComputedTiming().iterations === Infinity)"""
    )
    page.screenshot(path=FOLDER / f"{name}.png")


def take_all(browser: Browser, url: str) -> None:
    """All four."""

    tab = Tab(sign_in(browser, url, "Ada"))

    for question in ASKED:
        tab.open().ask(question).see_end(timeout=60_000)

    tab.open().ask("How do I set up a Flask project, step by step?")
    expect(tab.body.locator("li").nth(3)).to_be_visible(timeout=30_000)
    take(tab.page, "page")
    expect(tab.answer).to_have_attribute("data-status", "generating")
    tab.see_end(timeout=60_000)

    tab.page.get_by_role("link", name=ASKED[2]).click()
    tab.wait_ready().see_end()
    # From the question on, as somebody would read it.
    tab.page.locator(".cs-log").hover()
    tab.page.mouse.wheel(0, -10_000)
    expect(tab.page.locator('[data-role="user"]')).to_be_in_viewport()
    take(tab.page, "dark", "dark")

    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.page.goto(tab.page.url)
    tab.wait_ready().see_end()
    take(tab.page, "phone")

    tab = Tab(sign_in(browser, url, "Grace"))
    tab.page.goto("/")
    tab.page.locator(".cs-launcher").click()
    tab.wait_ready().ask(ASKED[0]).see_end(timeout=60_000)
    tab.field.evaluate("(field) => field.blur()")
    take(tab.page, "widget")


def main() -> None:
    """Take the pictures into ``docs/screenshots/``."""

    FOLDER.mkdir(parents=True, exist_ok=True)
    options = {"executable_path": need("chromium"), "args": ["--no-sandbox", "--disable-gpu"]}

    with tempfile.TemporaryDirectory() as folder, shop(folder) as url, sync_playwright() as play:
        browser = play.chromium.launch(**options)
        take_all(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
