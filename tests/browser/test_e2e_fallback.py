"""Where streams do not pass, where our script does not run, and where no script does."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.waiting import wait_for

from .e2e.model import Model
from .e2e.person import ADDRESS, Tab, Visit
from .e2e.proxy import Proxy

pytest_plugins = ["tests.browser.e2e.fixtures"]


def test_a_proxy_that_holds_streams_back_is_polled_around(
    visit: Visit, proxy: Proxy, model: Model
) -> None:
    question = "Held back"
    go_on = model.tell(question, tokens=60, stall="mid")
    proxy.buffers_streams = True
    tab = Tab(visit(base_url=proxy.url).new_page()).open().ask(question).see("w29")
    tab.see_state("polling")
    expect(tab.page.locator(".cs-conn")).to_have_text("Updating every second")
    asked = proxy.streams
    go_on.set()
    tab.see_end().see_state("idle").check_whole()

    assert proxy.streams == asked
    tab.ask("And once more [[tokens=4]]")
    expect(tab.messages).to_have_count(4)
    tab.see_end().check_whole()
    assert proxy.streams == asked
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live


@pytest.fixture
def bare_page(visit: Visit) -> Page:
    """A page where our script cannot be loaded; htmx can."""

    page = visit().new_page()
    page.route("**/chatstream.js", lambda route: route.abort())

    return page


def test_htmx_alone_follows_a_page_loaded_in_mid_answer(bare_page: Page, model: Model) -> None:
    question = "By htmx alone"
    go_on = model.tell(question, tokens=60, stall="mid")
    tab = Tab(bare_page)
    tab.page.goto("/chat/?new=1")
    tab.page.wait_for_function("() => window.htmx")
    tab.field.fill(question)
    tab.page.locator(".cs-send").click()
    expect(tab.page).to_have_url(re.compile("/c/[0-9a-f]{32}"))
    tab.see("w29")
    polled = tab.page.locator(".cs-poller")
    first = polled.get_attribute("hx-get")
    go_on.set()
    tab.see_end().check_whole()

    assert first is not None
    expect(polled).not_to_have_attribute("hx-get", re.compile("."))
    expect(tab.messages).to_have_count(2)
    expect(tab.answer.locator('[data-action="regenerate"]')).to_be_visible()


def test_htmx_alone_asks_on_stops_and_tries_again(bare_page: Page, model: Model) -> None:
    question = "Stop by htmx alone"
    go_on = model.tell(question, tokens=40, stall="mid")
    tab = Tab(bare_page)
    tab.page.goto("/chat/?new=1")
    tab.page.wait_for_function("() => window.htmx")
    tab.field.fill("First [[tokens=2]]")
    tab.page.locator(".cs-send").click()
    expect(tab.page).to_have_url(re.compile("/c/[0-9a-f]{32}"))
    tab.see_end()
    tab.page.wait_for_function("() => window.htmx")
    tab.field.fill(question)
    tab.page.locator(".cs-send").click()
    expect(tab.messages).to_have_count(4)
    expect(tab.field).to_have_value("")
    tab.see("w19").act("stop")
    tab.see_end("cancelled")
    assert model.calls_for(question)[0].wait_closed(timeout=3)

    go_on.set()
    tab.page.wait_for_function("() => window.htmx")
    tab.act("regenerate")
    tab.see_end().check_whole()
    assert len(tab.words) == 40


def test_by_htmx_alone_what_is_refused_is_said_and_kept(bare_page: Page) -> None:
    tab, question = Tab(bare_page), f"Too long {'x' * 2000}"
    tab.page.goto("/chat/?new=1")
    tab.page.wait_for_function("() => window.htmx")
    tab.field.fill(question)
    tab.page.locator(".cs-send").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("too long")
    expect(tab.field).to_have_value(question)

    tab.field.fill("Shorter [[tokens=4]]")
    tab.page.locator(".cs-send").click()
    expect(tab.page).to_have_url(re.compile("/c/[0-9a-f]{32}"))
    tab.see_end().check_whole()
    expect(tab.page.get_by_role("alert")).to_have_count(0)


@pytest.fixture
def plain_tab(visit: Visit) -> Tab:
    """A tab without JavaScript."""

    return Tab(visit(java_script_enabled=False).new_page())


def test_without_javascript_a_page_refreshes_itself_until_the_end(
    plain_tab: Tab, model: Model
) -> None:
    question, tab = "No script", plain_tab
    go_on = model.tell(question, tokens=60, stall="mid")
    tab.page.goto("/chat/?new=1")
    tab.field.fill(question)
    tab.page.locator(".cs-send").click()
    expect(tab.page).to_have_url(re.compile("/c/[0-9a-f]{32}"))
    tab.see("w29")
    assert tab.page.locator('meta[http-equiv="refresh"]').count() == 1
    go_on.set()
    tab.see_end().check_whole()

    assert tab.page.locator('meta[http-equiv="refresh"]').count() == 0
    assert len(tab.words) == 60


def test_without_javascript_stop_delete_and_retry_work(plain_tab: Tab, model: Model) -> None:
    question, tab = "No script, stop", plain_tab
    go_on = model.tell(question, tokens=60, stall="mid")
    tab.page.goto("/chat/?new=1")
    tab.field.fill(question)
    tab.page.locator(".cs-send").click()
    tab.see("w29").act("stop")
    tab.see_end("cancelled").check_whole("cancelled")
    assert model.calls_for(question)[0].wait_closed(timeout=3)
    go_on.set()
    tab.act("regenerate")
    tab.see_end().check_whole()
    tab.page.locator(".cs-item").first.hover()
    tab.page.locator(".cs-delete button").first.click()
    expect(tab.page.locator(".cs-none")).to_be_visible()


def test_without_javascript_what_is_refused_is_kept(plain_tab: Tab, model: Model) -> None:
    tab, question = plain_tab, f"Too long {'x' * 2000}"
    tab.page.goto("/chat/?new=1")
    tab.field.fill(question)
    tab.page.locator(".cs-send").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("too long")
    expect(tab.field).to_have_value(question)
    tab.field.fill("Shorter [[tokens=4]]")
    tab.page.get_by_role("button", name="Try again").click()
    tab.see_end().check_whole()


def test_without_javascript_the_newest_message_is_in_view(plain_tab: Tab, model: Model) -> None:
    tab = plain_tab
    tab.page.goto("/chat/?new=1")

    for number in range(2):
        model.tell(f"Long {number}", tokens=900)
        tab.field.fill(f"Long {number}")
        tab.page.locator(".cs-send").click()
        tab.see_end()

    foot = tab.answer.locator('[data-action="regenerate"]')
    tab.page.goto("/about")
    launch = tab.page.locator(".cs-launcher")
    launch.click()
    expect(foot).to_be_in_viewport()
    tab.page.goto("/chat/?new=1")
    tab.page.locator(".cs-item a").first.click()
    expect(foot).to_be_in_viewport()


def test_a_question_before_the_script_has_come_is_a_form(visit: Visit, model: Model) -> None:
    tab = Tab(visit().new_page())
    tab.page.route("**/*.js", lambda route: None)
    tab.page.goto("/chat/?new=1", wait_until="commit")
    tab.field.fill("Early [[tokens=6]]")
    tab.page.unroute_all()
    tab.page.locator(".cs-send").click()

    expect(tab.page).to_have_url(re.compile("/c/[0-9a-f]{32}"))
    tab.wait_ready().see_end().check_whole()
    wait_for(lambda: ADDRESS.search(tab.page.url))


class Held:
    """The first request for an address, held back until it is released."""

    def __init__(self, page: Page, address: str | re.Pattern[str]) -> None:
        self._page = page
        self._first: Route | None = None
        page.route(address, self._hold)

    def _hold(self, route: Route) -> None:
        if self._first is None:
            self._first = route
        else:
            route.continue_()

    def wait(self) -> None:
        """Wait until it has come."""

        while self._first is None:
            self._page.wait_for_timeout(20)

    def release(self) -> None:
        """Let it go on."""

        self.wait()
        assert self._first is not None
        self._first.continue_()


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_question_by_htmx_before_the_script_has_come(
    visit: Visit, model: Model, asked_before: bool
) -> None:
    tab = Tab(visit().new_page()).open()
    address = "/chat/?new=1"

    if asked_before:
        tab.ask("First [[tokens=2]]").see_end()
        address = tab.page.url

    script, question = (
        Held(tab.page, "**/chatstream.js"),
        Held(tab.page, re.compile("/chat/c(/[0-9a-f]{32}/messages)?$")),
    )
    tab.page.goto(address, wait_until="commit")
    tab.page.wait_for_function("() => window.htmx")
    tab.field.fill("Early [[tokens=6]]")
    tab.page.locator(".cs-send").click()
    question.wait()
    script.release()
    tab.wait_ready()
    question.release()

    expect(tab.messages).to_have_count(4 if asked_before else 2)
    expect(tab.page).to_have_url(re.compile("/c/[0-9a-f]{32}"))
    tab.wait_ready().see_end().check_whole()
    expect(tab.field).to_have_value("")
