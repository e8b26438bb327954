"""Asking: what a person types, presses and reads, with what the stub answers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.waiting import wait_for

from .looking import IDLE, asked, open_page
from .plays import Gate
from .stub import Conversation, Server, Stub, write_slowly


def test_a_first_question_gets_its_own_address(page: Page, server: Server, stub: Stub) -> None:
    stub.answers = lambda conversation, answer: write_slowly(conversation, answer, 0.005)
    open_page(page, server, "?new=1")
    page.locator("textarea").fill("Is my answer kept?")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(r"/chat/c/[0-9a-f]{32}$"))
    expect(page.locator(".cs-message")).to_have_count(2)
    expect(page.locator('[data-role="user"] .cs-content')).to_have_text("Is my answer kept?")
    expect(page.locator('[data-role="assistant"]')).to_have_attribute("data-status", "completed")
    expect(page.locator("textarea")).to_have_value("")
    expect(page.locator("textarea")).to_be_focused()
    expect(page.locator(".cs-empty")).to_be_hidden()
    expect(page.locator('a[aria-current="page"]')).to_have_text("Is my answer kept?")
    shown = page.locator(".cs-log").inner_text()
    page.reload()
    expect(page.locator(".cs-message")).to_have_count(2)
    assert page.locator(".cs-log").inner_text() == shown


def test_the_question_is_shown_before_the_server_answers(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    open_page(page, server, f"c/{conversation.id}")
    gate = Gate()
    stub.before_asking = gate.hold
    took = page.evaluate(
        """() => new Promise((resolve) => {
          const form = document.querySelector(".cs-composer"), begin = performance.now();
          form.elements.content.value = "Shown at once";
          new MutationObserver(() => resolve(performance.now() - begin))
            .observe(document.querySelector(".cs-log"), { childList: true });
          form.requestSubmit();
        })"""
    )

    expect(page.locator('.cs-pending[data-role="user"]')).to_have_text("YouShown at once")
    assert took < 100
    gate.open()
    expect(page.locator(".cs-pending")).to_have_count(0)
    expect(page.get_by_text("Shown at once")).to_have_count(1)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "The field content is missing."),
        (409, "An answer is being written."),
        (413, "The message is too long."),
        (429, "You are asking too fast."),
        (503, "The server is restarting."),
    ],
)
def test_a_refused_question_is_kept_and_goes_out_again(
    page: Page,
    server: Server,
    stub: Stub,
    conversation: Conversation,
    status: int,
    words: str,
) -> None:
    stub.refusals.append((status, "refused", words, 1 if status == 429 else 0))
    open_page(page, server, f"c/{conversation.id}")
    page.locator("textarea").fill("Do not lose me")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.locator("textarea")).to_have_value("Do not lose me")
    expect(page.locator('.cs-pending[data-status="failed"]')).to_have_count(1)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("textarea")).to_have_value("")
    expect(page.locator('.cs-message[data-role="user"]')).to_have_count(2)
    expect(page.locator(".cs-pending, .cs-notice")).to_have_count(0)
    first, second = asked(stub)
    assert first["key"] == second["key"]


def test_no_network_keeps_the_question(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    open_page(page, server, f"c/{conversation.id}")
    expect(page.locator(IDLE)).to_have_count(1)
    page.context.set_offline(True)
    page.locator("textarea").fill("Do not lose me")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    expect(page.locator("textarea")).to_have_value("Do not lose me")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator('.cs-message[data-role="user"]')).to_have_count(2)


def test_a_log_in_page_is_no_success(
    page: Page, server: Server, conversation: Conversation
) -> None:
    open_page(page, server, f"c/{conversation.id}")
    page.route("**/messages", lambda route: route.fulfill(status=200, body="<h1>Log in</h1>"))
    page.locator("textarea").fill("Do not lose me")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("signed out")
    expect(page.locator("textarea")).to_have_value("Do not lose me")
    expect(page.get_by_role("heading", name="Log in")).to_have_count(0)


def test_an_expired_token_is_renewed_once(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    stub.csrf_token = "old"
    open_page(page, server, f"c/{conversation.id}")
    stub.csrf_token = "new"
    page.locator("textarea").fill("Sent twice, seen once")
    page.keyboard.press("Enter")

    expect(page.locator('.cs-message[data-role="user"]:not(.cs-pending)')).to_have_count(2)
    expect(page.locator(".cs-notice")).to_have_count(0)
    assert page.locator('.cs-composer [name="csrf_token"]').input_value() == "new"
    assert len(asked(stub)) == 2


def test_the_draft_survives_a_reload(
    page: Page, server: Server, conversation: Conversation
) -> None:
    open_page(page, server, f"c/{conversation.id}")
    page.locator("textarea").fill("Half a thou")
    page.reload()

    expect(page.locator("textarea")).to_have_value("Half a thou")


def test_enter_sends_and_shift_enter_does_not(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    open_page(page, server, f"c/{conversation.id}")
    field = page.locator("textarea")
    field.press_sequentially("One")
    field.press("Shift+Enter")
    field.press_sequentially("Two")
    field.evaluate(
        """(field) => field.dispatchEvent(
          new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }))"""
    )
    assert asked(stub) == []
    field.press("Enter")

    wait_for(lambda: asked(stub))
    assert asked(stub)[0]["content"].replace("\r\n", "\n") == "One\nTwo"


def test_an_empty_or_too_long_question_is_not_sent(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    open_page(page, server, f"c/{conversation.id}")
    field = page.locator("textarea")
    field.fill("   \n ")
    field.press("Enter")
    expect(page.locator(".cs-send")).to_be_disabled()
    field.fill("é" * 2_003)
    field.press("Enter")

    expect(page.locator(".cs-count")).to_have_text("\N{MINUS SIGN}3")
    expect(page.locator(".cs-send")).to_be_disabled()
    assert asked(stub) == []


def test_a_suggestion_is_asked(page: Page, server: Server, stub: Stub) -> None:
    open_page(page, server, "?new=1")
    page.get_by_role("button", name="Where is my order?").click()

    expect(page.locator('.cs-message[data-role="user"]')).to_contain_text("Where is my order?")
    assert [values["content"] for values in asked(stub)] == ["Where is my order?"]


def test_a_new_chat_asks_in_its_conversation_from_then_on(
    page: Page, server: Server, stub: Stub
) -> None:
    stub.answers = lambda conversation, answer: write_slowly(conversation, answer, 0)
    open_page(page, server, "?new=1")
    for text in ("First", "Second"):
        page.locator("textarea").fill(text)
        page.keyboard.press("Enter")
        expect(page.locator('[data-role="user"]').last).to_contain_text(text)
        expect(page.locator('[data-role="assistant"]').last).to_have_attribute(
            "data-status", "completed"
        )

    assert len(stub.conversations) == 1
    expect(page.locator(".cs-message")).to_have_count(4)
