"""Stop, try again, copy, delete; and all of it by the host's own htmx."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .answers import CODE, code_block
from .looking import asked, host_script, open_page
from .plays import Gate, stream
from .stub import CSP, Conversation, Server, Stub


def test_send_becomes_stop_and_escape_stops(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    answer = conversation.add("assistant", status="generating").show("<p>So far</p>")
    open_page(page, server, f"c/{conversation.id}")
    expect(page.locator(".cs-send")).to_have_accessible_name("Stop answering")
    page.locator("textarea").fill("Already typing")
    page.keyboard.press("Enter")
    assert asked(stub) == []
    page.keyboard.press("Escape")

    expect(page.locator(f"#cs-m{answer.id}")).to_have_attribute("data-status", "cancelled")
    expect(page.locator(".cs-send")).to_have_accessible_name("Send message")
    expect(page.locator("textarea")).to_have_value("Already typing")
    expect(page.locator("textarea")).to_be_focused()


def test_the_stop_button_stops(page: Page, server: Server, conversation: Conversation) -> None:
    answer = conversation.add("assistant", status="generating")
    open_page(page, server, f"c/{conversation.id}")
    page.locator(".cs-send").click()

    expect(page.locator(f"#cs-m{answer.id}")).to_have_attribute("data-status", "cancelled")


def test_a_refused_act_is_told_in_a_toast(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    conversation.add("assistant").show("<p>Answer</p>")
    stub.refusals.append((503, "shutting_down", "The server is restarting.", 1))
    open_page(page, server, f"c/{conversation.id}")
    page.locator('[data-action="regenerate"]').click()

    expect(page.locator(".cs-toast")).to_have_text("The server is restarting.")


def test_copy_gives_the_text(page: Page, server: Server, conversation: Conversation) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    conversation.add("assistant").show("<p>Try <strong>this</strong>:</p>", code_block())
    open_page(page, server, f"c/{conversation.id}")

    page.locator(".cs-copy-code").click()
    assert page.evaluate("() => navigator.clipboard.readText()").strip() == CODE.strip()
    page.locator(".cs-act.cs-copy").click()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert text.startswith("Try this:") and CODE.strip() in text and "Copy" not in text


def test_a_conversation_is_deleted_after_asking(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    other = stub.conversation("Another one")
    open_page(page, server, f"c/{conversation.id}")
    item = page.locator(".cs-item").filter(has_text="Another one")
    item.hover()
    item.locator('[data-action="delete"]').click()
    page.get_by_role("button", name="Cancel").click()
    assert other.id in stub.conversations
    item.locator('[data-action="delete"]').click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(item).to_have_count(0)
    assert other.id not in stub.conversations


@pytest.mark.parametrize("version", ["htmx-1", "htmx-2", "htmx.org"])
def test_the_htmx_of_the_host_is_used(
    page: Page, server: Server, stub: Stub, conversation: Conversation, version: str
) -> None:
    stub.chosen["host.js"] = host_script(version)
    stub.csp = "default-src 'self'" if version != "htmx.org" else CSP
    # htmx 1 and 2 write a style element unless they are told not to.
    stub.host_script = (
        '<meta name="htmx-config" content=\'{"includeIndicatorStyles": false}\'>'
        '<script src="/assets/host.js"></script>'
    )
    answer = conversation.add("assistant", status="generating").show("<p>So far</p>")
    open_page(page, server, f"c/{conversation.id}")
    page.get_by_role("button", name="Stop answering").click()
    expect(page.locator(f"#cs-m{answer.id}")).to_have_attribute("data-status", "cancelled")

    page.locator("textarea").fill("Asked by the host's htmx")
    page.keyboard.press("Enter")
    expect(page.locator('.cs-message[data-role="user"]:not(.cs-pending)')).to_have_count(2)
    second = page.locator('.cs-message[data-role="assistant"]:not(.cs-pending)').last
    page.get_by_role("button", name="Stop answering").click()
    expect(second).to_have_attribute("data-status", "cancelled")
    second.locator('[data-action="regenerate"]').click()
    expect(second).to_have_attribute("data-status", "generating")
    stub.refusals.append((429, "rate_limited", "Too fast.", 0))
    page.get_by_role("button", name="Stop answering").click()
    expect(page.locator(".cs-toast")).to_have_text("Too fast.")
    assert page.locator("script[data-chatstream-htmx]").count() == 0
    assert len(asked(stub)) == 5


def test_a_stream_that_ends_while_a_question_goes_out_is_followed_again(
    page: Page, server: Server, stub: Stub, conversation: Conversation
) -> None:
    conversation.add("assistant", status="generating").show("<p>So far</p>")
    gate = Gate()
    stub.plays.append(stream(gate, "event: end\ndata: \n\n"))
    open_page(page, server, f"c/{conversation.id}")
    expect(page.locator('[data-conn="live"]').first).to_be_attached()
    conversation.add("user", "From elsewhere")
    page.evaluate("() => document.querySelector('chat-stream').sync()")
    gate.open()

    expect(page.get_by_text("From elsewhere")).to_be_visible()
