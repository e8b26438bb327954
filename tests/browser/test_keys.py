"""The keyboard: its shortcuts, the sheet that lists them, and whose keys they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .looking import open_page
from .stub import Conversation, Server, Stub

SHEET = "dialog.cs-keys"


@pytest.fixture
def chat(page: Page, server: Server, stub: Stub) -> Conversation:
    """An open conversation with two questions and their answers."""

    conversation = stub.conversation()

    for number in (1, 2):
        conversation.add("user", f"Question {number}")
        conversation.add("assistant").show(f"<p>Answer {number}</p>")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, server, f"c/{conversation.id}")

    return conversation


def leave_field(page: Page) -> None:
    page.evaluate("() => document.activeElement.blur()")


def test_the_sheet_lists_them_and_gives_the_focus_back(page: Page, chat: Conversation) -> None:
    field = page.locator("textarea")
    field.focus()
    page.keyboard.press("Control+/")
    sheet = page.locator(SHEET)
    expect(sheet).to_be_visible()
    expect(sheet.locator("dt")).to_have_count(9)
    expect(sheet.get_by_text("Stop the answer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(field).to_be_focused()


def test_a_button_shows_the_sheet_too(page: Page, chat: Conversation) -> None:
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.locator(SHEET)).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(SHEET)).to_have_count(0)


def test_a_question_mark_is_a_sign_where_one_types(page: Page, chat: Conversation) -> None:
    field = page.locator("textarea")
    field.focus()
    page.keyboard.press("?")
    expect(field).to_have_value("?")
    expect(page.locator(SHEET)).to_have_count(0)
    leave_field(page)
    page.keyboard.press("?")
    expect(page.locator(SHEET)).to_be_visible()


def test_messages_are_walked(page: Page, chat: Conversation) -> None:
    messages = page.locator(".cs-message")
    page.locator("textarea").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(messages.nth(3)).to_be_focused()
    page.keyboard.press("Alt+ArrowUp")
    expect(messages.nth(2)).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("textarea")).to_be_focused()


def test_in_a_field_with_text_the_arrows_are_the_fields(page: Page, chat: Conversation) -> None:
    page.locator("textarea").fill("two\nlines")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("textarea")).to_be_focused()


def test_the_field_and_the_last_answer(page: Page, chat: Conversation) -> None:
    leave_field(page)
    page.keyboard.press("Shift+Escape")
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.press("Control+Shift+;")
    page.wait_for_function("() => navigator.clipboard.readText().then((text) => text.trim())")
    assert "Answer 2" in page.evaluate("() => navigator.clipboard.readText()")


def test_a_new_chat(page: Page, chat: Conversation) -> None:
    page.keyboard.press("Control+Shift+O")
    page.wait_for_url(re.compile(r"new=1"))


def test_the_sites_own_keys_stay_its_own(page: Page, chat: Conversation) -> None:
    """A field of the site's beside the chat, and a key that the site has taken already."""

    page.evaluate("""() => {
      const field = document.createElement("input");
      document.body.append(field);
      field.focus();
    }""")
    page.keyboard.press("Control+/")
    page.keyboard.press("Shift+Escape")
    expect(page.locator("body > input")).to_be_focused()
    page.evaluate("() => document.addEventListener('keydown', (e) => e.preventDefault(), true)")
    page.locator("textarea").focus()
    page.keyboard.press("Control+/")
    expect(page.locator(SHEET)).to_have_count(0)


def test_the_sheet_is_clean_to_the_accessibility_checker(
    browser_page: Page, server: Server, stub: Stub, axe: Path
) -> None:
    stub.csp = None
    browser_page.add_init_script(path=axe)
    open_page(browser_page, server, "?new=1")

    for scheme in ("light", "dark"):
        browser_page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        browser_page.get_by_role("button", name="Keyboard shortcuts").click()
        found = browser_page.evaluate("() => axe.run()")
        assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
        browser_page.keyboard.press("Escape")
