"""The widget on a site's pages, and the list of conversations on the full page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from .e2e.model import Model
from .e2e.person import Tab

pytest_plugins = ["tests.browser.e2e.fixtures"]


def launch(tab: Tab, path: str = "/") -> Tab:
    tab.page.goto(path)
    launcher(tab).click()

    return tab.wait_ready()


def launcher(tab: Tab) -> Locator:
    return tab.page.locator(".cs-launcher")


def panel(tab: Tab) -> Locator:
    return tab.page.get_by_role("dialog")


def test_it_keeps_its_answer_over_a_refresh_and_the_sites_pages(tab: Tab, model: Model) -> None:
    question = "From the widget"
    go_on = model.tell(question, tokens=60, stall="mid")
    launch(tab).ask(question).see("w29")
    assert tab.page.url.endswith("/")
    tab.reload()
    tab.wait_ready().see("w29")
    expect(panel(tab)).to_be_visible()
    tab.page.goto("/about")
    tab.wait_ready().see("w29")
    go_on.set()
    tab.see_end().check_whole()

    live = tab.dom
    tab.reload()
    assert tab.wait_ready().dom == live
    assert len(tab.words) == 60
    assert len(model.calls_for(question)) == 1


def test_it_stays_closed_when_it_was_closed(tab: Tab) -> None:
    launch(tab).ask("Close after this [[tokens=4]]").see_end()
    conversation = tab.conversation
    panel(tab).get_by_role("button", name="Close the chat").click()
    expect(panel(tab)).to_be_hidden()
    tab.page.goto("/about")
    expect(launcher(tab)).to_have_attribute("aria-expanded", "false")
    expect(panel(tab)).to_be_hidden()
    launcher(tab).click()

    tab.wait_ready().check_whole()
    assert tab.conversation == conversation


def test_an_answer_goes_on_while_it_is_closed(tab: Tab, model: Model) -> None:
    go_on = model.tell("Close at once", tokens=40, stall="mid")
    launch(tab).ask("Close at once").see("w19")
    tab.field.press("Escape")
    tab.see_end("cancelled")
    tab.field.press("Escape")
    expect(panel(tab)).to_be_hidden()
    launcher(tab).click()
    go_on.set()
    tab.act("regenerate")
    panel(tab).get_by_role("button", name="Close the chat").click()
    tab.see_end()
    launcher(tab).click()
    tab.check_whole()


def test_a_new_chat_and_the_full_page(tab: Tab) -> None:
    launch(tab).ask("Old [[tokens=3]]").see_end()
    old = tab.conversation
    panel(tab).get_by_role("button", name="New chat").click()
    expect(tab.page.locator(".cs-empty")).to_be_visible()
    tab.ask("New [[tokens=4]]").see_end().check_whole()
    new = tab.conversation
    assert new and new != old
    tab.reload()
    tab.wait_ready().check_whole()
    assert tab.conversation == new

    panel(tab).get_by_role("link", name="Open the full page").click()
    tab.wait_ready().check_whole()
    expect(tab.page).to_have_url(re.compile(f"/chat/c/{new}$"))
    expect(tab.page.locator(".cs-conversations a")).to_have_text(
        [re.compile("New"), re.compile("Old")]
    )


def test_the_widget_and_the_full_page_show_the_same_live(tab: Tab, model: Model) -> None:
    go_on = model.tell("In both", tokens=40, stall="mid")
    launch(tab).ask("In both").see("w19")
    page = tab.another().open(f"/chat/c/{tab.conversation}").see("w19")
    go_on.set()

    for each in (tab, page):
        each.see_end().check_whole()

    page.ask("From the page [[tokens=4]]")
    expect(tab.messages).to_have_count(4)
    tab.see_end().check_whole()
    assert tab.dom == page.dom


def test_on_a_phone_it_fills_the_window(tab: Tab, model: Model) -> None:
    model.tell("On a phone", tokens=300)
    tab.page.set_viewport_size({"width": 390, "height": 844})
    launch(tab).ask("On a phone").see_end().check_whole()
    # The panel slides in, and finished blocks get their height when they come into view.
    tab.page.wait_for_function(
        "() => document.getAnimations().every((animation) => animation.playState !== 'running')"
    )
    tab.page.wait_for_function(
        """() => { const log = document.querySelector(".cs-log");
          return log.scrollHeight - log.scrollTop - log.clientHeight < 2; }"""
    )

    assert panel(tab).bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    box = tab.page.get_by_role("button", name="Send message").bounding_box()
    assert box is not None and box["y"] + box["height"] <= 844


def test_a_conversation_is_deleted_from_the_list(tab: Tab, model: Model) -> None:
    tab.open().ask("Keep [[tokens=2]]").see_end()
    kept = tab.conversation
    tab.open().ask("Delete [[tokens=2]]").see_end()
    tab.open(f"/chat/c/{kept}")
    _delete(tab, "Delete [[tokens=2]]")
    expect(tab.page.locator(".cs-item")).to_have_count(1)
    expect(tab.page).to_have_url(re.compile(kept))

    model.tell("While it runs", tokens=40, stall="mid")
    tab.open().ask("While it runs").see("w19")
    gone = tab.page.url
    expect(tab.page.locator(".cs-item")).to_have_count(2)
    _delete(tab, "While it runs")
    expect(tab.page).to_have_url(re.compile(r"new=1"))
    assert model.calls_for("While it runs")[0].wait_closed(timeout=3)
    response = tab.page.goto(gone)
    assert response is not None and response.status == 404


def _delete(tab: Tab, title: str) -> None:
    item = tab.page.locator(".cs-item", has_text=title)
    item.hover()
    item.get_by_role("button", name="Delete").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text(title)
    dialog.get_by_role("button", name="Delete").click()


def test_a_conversation_deleted_elsewhere_says_so(tab: Tab, model: Model) -> None:
    model.tell("Delete elsewhere", tokens=40, stall="mid")
    tab.open().ask("Delete elsewhere").see("w19")
    other = tab.another().open(tab.page.url)
    _delete(other, "Delete elsewhere")

    tab.see_state("gone")
    expect(tab.page.locator(".cs-conn")).to_contain_text("no longer available")
    assert tab.words[-1] == "w19"


def test_without_a_script_the_launcher_leads_to_the_page(tab: Tab) -> None:
    tab.page.route("**/chatstream.js", lambda route: route.abort())
    tab.page.goto("/about")
    launcher(tab).click()

    expect(tab.field).to_be_visible()
    expect(tab.page).to_have_url(re.compile("/chat/#latest$"))
