"""The widget and the panel on a host's page that is hostile to both."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .stub import Server, Stub, write_slowly

PANEL = ".cs-panel"


def test_nothing_is_loaded_until_it_is_opened(page: Page, server: Server, stub: Stub) -> None:
    page.goto(f"{server.url}/host")
    expect(page.locator(".cs-launcher")).to_have_accessible_name("Help desk")
    expect(page.locator(PANEL)).to_be_hidden()
    assert not [path for _, path, _, _ in stub.requests if path in ("/chat/", "/chat/list")]

    page.locator(".cs-launcher").click()
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(PANEL)).to_be_hidden()
    expect(page.locator(".cs-launcher")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("textarea")).to_be_focused()


def test_it_stays_open_with_its_conversation(page: Page, server: Server, stub: Stub) -> None:
    stub.answers = lambda conversation, answer: write_slowly(conversation, answer, 0.03)
    page.goto(f"{server.url}/host")
    page.locator(".cs-launcher").click()
    page.locator("textarea").fill("From the widget")
    page.keyboard.press("Enter")
    expect(page.locator('[data-role="assistant"] .cs-block').first).to_be_visible()
    assert page.url == f"{server.url}/host"
    mine = next(iter(stub.conversations))
    stub.conversation("A newer one")
    page.reload()

    expect(page.locator(".cs-conversation")).to_have_attribute("data-conversation", mine)
    expect(page.locator('[data-role="assistant"]')).to_have_attribute("data-status", "completed")
    expect(page.locator(".cs-expand")).to_have_attribute("href", f"/chat/c/{mine}")
    page.locator('.cs-panel [data-action="new"]').click()
    expect(page.locator(".cs-empty")).to_be_visible()


def test_a_deleted_conversation_gives_way(page: Page, server: Server, stub: Stub) -> None:
    first = stub.conversation()
    page.goto(f"{server.url}/host")
    page.locator(".cs-launcher").click()
    expect(page.locator(".cs-conversation")).to_have_attribute("data-conversation", first.id or "")
    stub.conversations.clear()
    page.reload()

    expect(page.locator(".cs-empty")).to_be_visible()


def test_a_failure_to_load_says_so(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/host")
    page.route("**/chat/?view=widget", lambda route: route.fulfill(status=503, body="no"), times=1)
    page.locator(".cs-launcher").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("textarea")).to_be_visible()


def test_the_host_stays_as_it_was(page: Page, server: Server, stub: Stub) -> None:
    page.goto(f"{server.url}/host")
    page.evaluate("() => document.querySelector('.cs-launcher').remove()")
    before = page.locator("main").screenshot()
    page.evaluate(
        """() => { document.querySelector(".cs-root").remove();
          document.querySelectorAll('link[href*="chatstream"]').forEach((l) => l.remove()); }"""
    )

    assert page.locator("main").screenshot() == before


@pytest.mark.parametrize("path", ["/host", "/host?panel=1"])
def test_the_hosts_rules_do_not_reach_in(page: Page, server: Server, stub: Stub, path: str) -> None:
    conversation = stub.conversation()
    conversation.add("user", "A question")
    conversation.add("assistant").show("<p>Some <a href='https://example.org'>text</a></p>")
    page.goto(server.url + path)
    if "panel" not in path:
        page.locator(".cs-launcher").click()
    expect(page.locator("textarea")).to_be_visible()

    looks = page.evaluate(
        """() => {
          const of = (q) => getComputedStyle(document.querySelector(q));
          return [of(".cs-block:not(.cs-plain) p").fontStyle, of(".cs-message").textTransform,
            of(".cs-message").float, of("textarea").backgroundColor,
            of(".cs-panel-title").letterSpacing, of(".cs-send svg").inlineSize,
            of(".cs-root [hidden]").display, of(".cs-log").fontSize];
        }"""
    )
    assert looks == ["normal", "none", "none", "rgba(0, 0, 0, 0)", "normal", "20px", "none", "16px"]


def test_a_phone_gets_a_sheet(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/host")
    page.locator(".cs-launcher").click()
    expect(page.locator("textarea")).to_be_visible()
    page.wait_for_function(
        """() => document.querySelector(".cs-panel").getAnimations()
          .every((animation) => animation.playState === "finished")"""
    )

    assert page.locator(PANEL).bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    expect(page.locator(".cs-launcher")).to_be_hidden()
    page.locator('[data-action="close"]').click()
    expect(page.locator(".cs-launcher")).to_be_visible()


def test_one_button_closes_it(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/host")
    page.locator(".cs-launcher").click()
    expect(page.locator("textarea")).to_be_focused()
    expect(page.locator(".cs-launcher")).to_be_hidden()
    page.get_by_role("button", name="Close the chat").click()

    expect(page.locator(PANEL)).to_be_hidden()
    expect(page.locator(".cs-launcher")).to_be_focused()


def test_a_wide_table_scrolls_by_itself(page: Page, server: Server, stub: Stub) -> None:
    conversation = stub.conversation()
    words = "".join(f"<td>Handed to the carrier on day {day}</td>" for day in range(5))
    table = f"<table><tbody><tr>{words}</tr></tbody></table>"
    conversation.add("assistant").show(f'<div class="cs-table">{table}</div>')
    page.goto(f"{server.url}/host")
    page.locator(".cs-launcher").click()
    expect(page.locator("td")).to_have_count(5)

    narrowest = page.locator("td").evaluate_all(
        "(cells) => Math.min(...cells.map((cell) => cell.offsetWidth))"
    )
    scrolls = "(node) => node.scrollWidth > node.clientWidth"
    assert narrowest > 120
    assert page.locator(".cs-table").evaluate(scrolls)
    assert not page.locator(".cs-log").evaluate(scrolls)


def test_it_goes_with_all_it_holds(page: Page, server: Server, stub: Stub) -> None:
    conversation = stub.conversation()
    conversation.add("assistant", status="generating")
    page.goto(f"{server.url}/host")
    page.locator(".cs-launcher").click()
    expect(page.locator('[data-conn="live"]').first).to_be_attached()
    page.evaluate("() => document.querySelector('chat-widget').remove()")

    page.wait_for_function(
        "async () => (await navigator.locks.query()).held.length === 0", timeout=5_000
    )
