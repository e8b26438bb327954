"""The page in another language: from right to left, and what the script says."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from flask_chatstream.catalogues import find_catalogue
from flask_chatstream.views.languages import Language

from .looking import open_page
from .stub import Conversation, Server, Stub

MIXED = "<p>نص <code>f(x)</code> وبعده.</p>"
CODE = '<div class="cs-code"><pre><code>print("x")</code></pre></div>'
DIRECTION = "(node) => getComputedStyle(node).direction"


@pytest.fixture
def chat(page: Page, server: Server, stub: Stub) -> Conversation:
    """An open conversation in Arabic."""

    stub.language = Language(find_catalogue(["ar"]))
    conversation = stub.conversation("A title in English")
    conversation.add("user", "An English question")
    conversation.add("assistant").show(MIXED, CODE, "<p>An English line.</p>")
    open_page(page, server, f"c/{conversation.id}")

    return conversation


def middle(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box

    return box["x"] + box["width"] / 2


def start(locator: Locator) -> float:
    """Where the text of an element ends on the right."""

    found: float = locator.evaluate(
        """(node) => {
          const range = document.createRange();
          range.selectNodeContents(node);
          return range.getBoundingClientRect().right;
        }"""
    )

    return found


def test_the_page_is_laid_out_from_right_to_left(page: Page, chat: Conversation) -> None:
    root, log = page.locator(".cs-root"), page.locator(".cs-log")
    expect(root).to_have_attribute("lang", "ar")
    expect(root).to_have_attribute("dir", "rtl")

    assert middle(page.locator(".cs-sidebar")) > middle(log)
    assert middle(page.locator(".cs-send")) < middle(page.locator(".cs-text"))
    assert middle(page.locator('[data-role="user"] .cs-content')) < middle(log)
    assert page.locator(".cs-text").evaluate(DIRECTION) == "rtl"

    # A title in English begins where the list does.
    item = page.locator(".cs-item > a")
    box = item.bounding_box()
    assert box
    assert start(item) == pytest.approx(box["x"] + box["width"] - 8, abs=1)


def test_text_has_its_own_direction_and_code_is_from_left_to_right(
    page: Page, chat: Conversation
) -> None:
    blocks = page.locator('[data-role="assistant"] .cs-block')

    assert [block.evaluate(DIRECTION) for block in blocks.all()] == ["rtl", "ltr", "ltr"]
    assert page.locator('[data-role="user"] .cs-plain').evaluate(DIRECTION) == "ltr"
    assert page.locator(".cs-code pre").evaluate(DIRECTION) == "ltr"
    assert page.locator("p > code").evaluate(DIRECTION) == "ltr"


def test_a_drawer_comes_from_the_side_where_lines_begin(page: Page, chat: Conversation) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("link", name="فتح قائمة المحادثات").click()
    sidebar = page.locator(".cs-sidebar")
    expect(sidebar).to_be_visible()
    box = sidebar.bounding_box()

    assert box
    assert box["x"] + box["width"] == pytest.approx(390)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390


def test_the_script_speaks_it_too(page: Page, chat: Conversation) -> None:
    page.get_by_role("button", name="اختصارات لوحة المفاتيح").click()
    sheet = page.locator("dialog.cs-keys")
    expect(sheet.get_by_text("إيقاف الإجابة")).to_be_visible()
    keys = sheet.locator("dd", has_text="Shift").first.locator("kbd")

    assert middle(keys.first) < middle(keys.last)


def test_times_are_in_the_chats_language_and_not_in_the_sites(
    page: Page, server: Server, stub: Stub
) -> None:
    stub.language = Language(find_catalogue(["ja"]))
    conversation = stub.conversation()
    conversation.add("assistant").show("<p>An answer</p>")
    conversation.messages[0].created_at = conversation.messages[0].created_at.replace(year=2024)
    open_page(page, server, f"c/{conversation.id}")

    expect(page.locator(".cs-time")).to_contain_text("2024/")


@pytest.mark.parametrize("width", [390, 1280])
def test_arabic_is_accessible(
    browser_page: Page, server: Server, stub: Stub, axe: Path, width: int
) -> None:
    stub.csp = None  # axe is a script of the test's
    stub.language = Language(find_catalogue(["ar"]))
    conversation = stub.conversation()
    conversation.add("user", "An English question")
    conversation.add("assistant").show(MIXED, CODE)
    browser_page.set_viewport_size({"width": width, "height": 844})
    browser_page.add_init_script(path=axe)
    open_page(browser_page, server, f"c/{conversation.id}")
    found = browser_page.evaluate("() => axe.run()")

    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
