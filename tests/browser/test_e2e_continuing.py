"""Continue: the same bubble goes on where it broke off, live and without a script."""

from __future__ import annotations

from playwright.sync_api import expect

from flask_chatstream.providers.base import GO_ON

from .e2e.model import Model
from .e2e.person import Tab, Visit

pytest_plugins = ["tests.browser.e2e.fixtures"]

BEGUN = "**Tea** is\n\n- green\n- bla"
REST = "ck\n- white\n\nand *more* of it all."
BEFORE_THE_STOP = "ck\n- white\n\nand"


def test_an_interrupted_answer_goes_on_in_its_bubble(tab: Tab, model: Model) -> None:
    model.tell("Which teas?", text=BEGUN, finish="none")
    tab.open().ask("Which teas?").see_end("error")
    other = tab.another().open(tab.page.url).see_end("error")
    expect(tab.answer.locator(".cs-failure")).to_contain_text("broke off")
    tab.answer.evaluate("(node) => { node.kept = node.querySelector('li') }")

    go_on = model.tell(GO_ON, text=REST, stall="mid")
    tab.answer.locator('[data-action="continue"]').press("Enter")

    for each in (tab, other):
        expect(each.answer).to_have_attribute("data-status", "generating")
        expect(each.body.locator("li")).to_have_text(["green", "black", "white"])
        expect(each.answer.locator(".cs-failure")).to_have_count(0)

    assert tab.answer.evaluate("(node) => node.kept.isConnected")
    assert tab.answer.evaluate("(node) => node.contains(document.activeElement)")
    tab.stop()
    tab.see_end("cancelled")
    expect(tab.answer.locator('[data-action="continue"]')).to_be_visible()
    go_on.set()

    model.tell(GO_ON, text=" And the end.")
    other.act("continue")

    for each in (tab, other):
        each.see("And the end.").see_end()
        expect(each.messages).to_have_count(2)
        expect(each.answer.locator('[data-action="continue"]')).to_have_count(0)

    assert tab.stored()[-1]["content"] == f"{BEGUN}{BEFORE_THE_STOP} And the end."
    live = tab.dom
    tab.reload()
    assert tab.wait_ready().dom == live == other.dom


def test_without_javascript_it_goes_on(visit: Visit, model: Model) -> None:
    tab = Tab(visit(java_script_enabled=False).new_page())
    model.tell("Plain teas", text=BEGUN, finish="none")
    tab.page.goto("/chat/?new=1")
    tab.field.fill("Plain teas")
    tab.page.locator(".cs-send").click()
    tab.see_end("error")
    model.tell(GO_ON, text=REST)
    tab.act("continue")
    tab.see_end()

    assert tab.stored()[-1]["content"] == BEGUN + REST
    expect(tab.body.locator("li")).to_have_text(["green", "black", "white"])
    assert tab.body.locator("em").text_content() == "more"
