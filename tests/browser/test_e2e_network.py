"""A network that goes and a server that dies: nothing that was seen is lost, the rest comes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from flask_chatstream.providers.base import GO_ON
from tests.waiting import wait_for

from .e2e.model import Model
from .e2e.person import Tab, Visit
from .e2e.proxy import Proxy
from .e2e.site import Site, serving
from .e2e.texts import TEAS

pytest_plugins = ["tests.browser.e2e.fixtures"]

INTERRUPTED = "The answer was interrupted when the server stopped."


@pytest.fixture
def far_tab(visit: Visit, proxy: Proxy) -> Tab:
    """A tab that reaches the site by the proxy."""

    return Tab(visit(base_url=proxy.url).new_page())


@pytest.fixture
def own_site(model: Model, tmp_path: Path) -> Iterator[Site]:
    """A site that may be killed."""

    with serving(tmp_path, model.base_url) as site:
        yield site


@pytest.fixture
def pair_of_workers(model: Model, tmp_path: Path) -> Iterator[Site]:
    """A site whose requests go to either of two processes."""

    with serving(tmp_path, model.base_url, workers=2) as site:
        yield site


def test_two_workers_show_one_answer(visit: Visit, pair_of_workers: Site, model: Model) -> None:
    go_on = model.tell("Two workers", text=TEAS, stall="mid")
    first = Tab(visit(base_url=pair_of_workers.url).new_page()).open().ask("Two workers")
    first.see("Black, at 95")
    tabs = [first, *(first.another().open(first.page.url).see("Black, at 95") for _ in range(3))]
    go_on.set()

    for tab in tabs:
        tab.see_end()
        assert tab.dom == first.dom

    for tab in tabs:
        tab.reload()
        assert tab.wait_ready().dom == first.dom

    assert first.stored()[-1]["content"] == TEAS
    assert len(model.calls_for("Two workers")) == 1


def test_five_seconds_offline_lose_nothing(far_tab: Tab, proxy: Proxy, model: Model) -> None:
    question, tab = "Offline", far_tab
    model.tell(question, tokens=260, rate=40)
    tab.open().ask(question).see("w10")
    went = time.monotonic()
    tab.page.context.set_offline(True)
    proxy.cut()
    tab.see_state("offline")
    expect(tab.page.locator(".cs-conn")).to_contain_text("You are offline")
    wait_for(lambda: time.monotonic() > went + 5)
    seen = len(tab.words)
    assert 10 < seen < 150

    proxy.mend()
    tab.page.context.set_offline(False)
    tab.see(f"w{seen + 60}").see_state("live").see_end().check_whole()
    assert len(tab.words) == 260
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live


def test_a_network_that_breaks_is_joined_again(far_tab: Tab, proxy: Proxy, model: Model) -> None:
    question, tab = "Broken network", far_tab
    model.tell(question, tokens=200, rate=50)
    tab.open().ask(question).see("w10")
    proxy.cut()
    tab.see_state("retrying")
    expect(tab.page.locator(".cs-conn")).to_have_text("Connection lost. Reconnecting…")
    proxy.mend()
    tab.see_state("live").see_end().check_whole()
    assert len(tab.words) == 200


def test_what_is_asked_without_a_network_is_kept_and_sent_later(
    far_tab: Tab, proxy: Proxy, model: Model
) -> None:
    question, tab = "Without a network [[tokens=5]]", far_tab
    tab.open()
    proxy.cut()
    tab.ask(question)
    expect(tab.page.get_by_role("alert")).to_contain_text("could not be reached")
    expect(tab.field).to_have_value(question)
    expect(tab.page.locator('.cs-pending[data-status="failed"]')).to_have_count(1)
    proxy.mend()
    tab.page.get_by_role("button", name="Try again").click()
    tab.see_end().check_whole()

    expect(tab.field).to_have_value("")
    expect(tab.page.locator(".cs-message")).to_have_count(2)
    assert len(model.calls_for(question)) == 1


def test_an_answer_outlives_a_kill_of_the_server(
    visit: Visit, own_site: Site, model: Model
) -> None:
    question = "Kill me"
    go_on = model.tell(question, tokens=60, stall="mid")
    tab = Tab(visit(base_url=own_site.url).new_page()).open().ask(question).see("w29")
    before = tab.words
    own_site.kill()
    tab.see_state("retrying")
    assert tab.words == before
    own_site.start()

    tab.see_end("error", timeout=30_000)
    expect(tab.answer).to_contain_text(INTERRUPTED)
    assert tab.words == before
    tab.check_whole("error")
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live

    go_on.set()
    tab.act("regenerate")
    tab.see_end().check_whole()
    assert len(tab.words) == 60
    expect(tab.messages).to_have_count(2)


def test_a_page_loaded_after_the_kill_has_every_word(
    visit: Visit, own_site: Site, model: Model
) -> None:
    question = "Kill and look"
    model.tell(question, tokens=60, stall="mid")
    tab = Tab(visit(base_url=own_site.url).new_page()).open().ask(question).see("w29")
    before, address = tab.words, tab.page.url
    own_site.kill()
    tab.page.goto("about:blank")
    own_site.start()
    html = tab.page.goto(address)

    assert html is not None
    assert re.findall(r"\bw\d+\b", html.text()) == before
    tab.wait_ready().see_end("error")
    expect(tab.answer).to_contain_text(INTERRUPTED)

    model.tell(GO_ON, text="goes on")
    tab.act("continue")
    tab.see_end().check_whole()
    assert tab.words == [*before, "goes", "on"]
