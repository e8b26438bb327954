"""Asking and reading: the package in a server process, real Chromium, a fake model server."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.waiting import wait_for

from .e2e.model import Model
from .e2e.person import ADDRESS, Tab
from .e2e.texts import TEAS

pytest_plugins = ["tests.browser.e2e.fixtures"]

TIMES = """
addEventListener("keydown", ({ key }) => {
  if (key === "Enter") window.pressed = performance.now();
}, true);
new MutationObserver(() => {
  if (document.querySelector('.cs-message[data-role="user"]')) window.seen ??= performance.now();
}).observe(document, { childList: true, subtree: true });
"""


def test_a_question_is_seen_at_once_and_has_an_address_before_the_first_word(
    tab: Tab, model: Model
) -> None:
    begin = model.tell("Which teas?", text=TEAS, rate=200, stall="first")
    tab.page.add_init_script(TIMES)
    tab.open().ask("Which teas?")

    expect(tab.page.locator('[data-role="user"] .cs-content')).to_have_text("Which teas?")
    expect(tab.page).to_have_url(ADDRESS)
    expect(tab.answer).to_have_attribute("data-status", "generating")
    assert tab.words == []
    assert tab.page.evaluate("() => window.seen - window.pressed") < 250

    begin.set()
    tab.see_end()
    expect(tab.field).to_have_value("")
    expect(tab.field).to_be_focused()


def test_an_answer_is_formatted_while_it_comes_and_stays_so_on_a_reload(
    tab: Tab, model: Model
) -> None:
    go_on = model.tell("Which teas, with code?", text=TEAS, stall="mid")
    tab.open().ask("Which teas, with code?")
    expect(tab.body.locator("h2")).to_have_text("Three teas 🍵")
    expect(tab.body.locator("ol > li").first).to_have_text("Green, at 70 °C")
    go_on.set()
    tab.see_end()

    assert tab.body.locator("table td.cs-right").all_text_contents() == ["2", "4"]
    assert "<b>&amp;</b>" in tab.body.locator("pre code").inner_text()
    assert tab.body.locator("input[type=checkbox]").count() == 2
    expect(tab.body.get_by_role("link", name="the list")).to_have_attribute(
        "href", "https://example.org/teas"
    )
    assert tab.stored()[-1]["content"] == TEAS
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live


def test_a_conversation_goes_on(tab: Tab) -> None:
    tab.open().ask("One [[tokens=3]]").see_end().ask("Two [[tokens=5]]")

    expect(tab.messages).to_have_count(4)
    tab.see_end().check_whole()
    assert [m["content"] for m in tab.stored()][::2] == ["One [[tokens=3]]", "Two [[tokens=5]]"]
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live
    expect(tab.page.locator(".cs-conversations li a")).to_have_count(1)


def test_a_question_is_shown_as_it_was_typed(tab: Tab) -> None:
    question = "<b>bold?</b> & 🦉\n  [[tokens=2]] 𝔘𝔫𝔦 ﷽ \u200b| a_b_c"
    tab.open()
    tab.field.fill(question)
    tab.field.press("Enter")
    tab.see_end()

    shown = tab.page.locator('[data-role="user"] .cs-content')
    assert (shown.text_content() or "").strip() == question
    assert tab.stored()[0]["content"] == question
    assert tab.page.locator(".cs-conversations li a").text_content() != ""


def test_two_presses_of_a_key_are_one_question(tab: Tab, model: Model) -> None:
    question = "Once [[tokens=4]]"
    tab.open()
    tab.field.fill(question)
    tab.page.evaluate(
        """() => { for (let n = 0; n < 3; n += 1) document.querySelector("textarea").dispatchEvent(
          new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true })); }"""
    )
    tab.see_end().check_whole()

    assert len(model.calls_for(question)) == 1
    expect(tab.page.locator(".cs-message")).to_have_count(2)


def test_a_refresh_while_a_question_is_on_its_way_asks_it_once(tab: Tab, model: Model) -> None:
    question = "Impatient [[tokens=4]]"
    tab.open()
    # The server takes the question, and the page is gone before it hears of that.
    tab.page.route("**/chat/c", lambda route: route.fetch() and None, times=1)
    tab.ask(question)
    wait_for(lambda: tab.page.wait_for_timeout(20) or model.calls_for(question))
    tab.reload()
    tab.page.unroute_all(behavior="ignoreErrors")
    tab.wait_ready()
    expect(tab.field).to_have_value(question)
    tab.field.press("Enter")
    tab.see_end().check_whole()

    assert len(model.calls_for(question)) == 1
    expect(tab.page.locator(".cs-item")).to_have_count(1)


def test_a_suggestion_is_a_question(tab: Tab) -> None:
    tab.open()
    tab.page.get_by_role("button", name="Which teas are there?").click()
    tab.see_end().check_whole()

    expect(tab.page).to_have_url(ADDRESS)
    expect(tab.page.locator(".cs-empty")).to_be_hidden()


def test_copying_copies(visitor: BrowserContext, model: Model) -> None:
    visitor.grant_permissions(["clipboard-read", "clipboard-write"])
    model.tell("Copy what?", text=TEAS)
    tab = Tab(visitor.new_page()).open().ask("Copy what?").see_end()
    tab.body.get_by_role("button", name="Copy").click()
    expect(tab.body.locator(".cs-copy-code.cs-done")).to_be_visible()
    code = tab.page.evaluate("() => navigator.clipboard.readText()")
    assert code == TEAS.split("```python\n")[1].split("\n```")[0]

    tab.act("copy")
    expect(tab.answer.locator(".cs-copy.cs-done")).to_be_visible()
    copied = tab.page.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("Three teas 🍵")
    assert copied.endswith("The end.")


def test_a_reader_who_scrolled_up_is_left_alone(tab: Tab, model: Model) -> None:
    text = "".join(f"Line {n}\n\n" for n in range(200))
    go_on = model.tell("Scroll", text=text, stall="mid")
    tab.open().ask("Scroll").see("Line 99")
    log = tab.page.locator(".cs-log")
    gap = "(log) => log.scrollHeight - log.scrollTop - log.clientHeight"
    assert log.evaluate(gap) < 2
    log.hover()
    tab.page.mouse.wheel(0, -600)
    jump = tab.page.get_by_role("button", name="Jump to the latest message")
    expect(jump).to_be_visible()
    go_on.set()
    tab.see_end()

    assert log.evaluate(gap) > 600
    jump.click()
    expect(jump).to_be_hidden()
    assert log.evaluate(gap) < 2


def test_the_browsers_do_watch(tab: Tab, complaints: list[str]) -> None:
    tab.open()
    tab.page.evaluate("() => document.body.setAttribute('style', 'color: red')")
    tab.page.evaluate("() => { setTimeout(() => { throw new Error('nobody catches it'); }); }")
    tab.page.wait_for_function("() => true")

    assert len(complaints) == 2
    complaints.clear()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(tab: Tab, model: Model, width: int) -> None:
    model.tell("How wide?", text=f"{TEAS}\n\n{'wide' * 200}\n\n```\n{'x' * 900}\n```\n")
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.open().ask("How wide?").see_end()

    too_wide = """() => [document.documentElement, document.querySelector(".cs-log")]
      .filter((element) => element.scrollWidth > element.clientWidth).length"""
    assert tab.page.evaluate(too_wide) == 0
