"""The line at an answer that lets one wait."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from .looking import LIVE, go
from .plays import END, Gate, block, event, status, stream
from .stub import Server, Stub

#: So that the connection is not taken for dead while the model is slow.
HEARTBEAT = "event: hb\ndata: 0\n\n"


def content_of(page: Page) -> Locator:
    return page.locator('.cs-message[data-status="generating"] .cs-content')


def test_waiting_is_said_with_its_time_until_there_is_text(
    page: Page, server: Server, stub: Stub
) -> None:
    conversation = stub.conversation()
    conversation.add("user", "A question")
    answer = conversation.add("assistant", status="generating")
    alive, first, second = Gate(), Gate(), Gate()
    stub.plays.append(
        stream(
            alive,
            HEARTBEAT,
            first,
            event(block(answer.id, 0, "<p>One</p>"), "a"),
            second,
            event(block(answer.id, 0, "<p>One.</p>", final=True), "b"),
            event(status(answer.id, "completed"), "c"),
            END,
        )
    )
    page.clock.install()
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    content = content_of(page)
    assert content.get_attribute("data-progress") is None

    page.clock.run_for(4_000)
    expect(content).to_have_attribute("data-progress", re.compile(r"Waiting for the model · \ds"))
    alive.open()

    # In steps: a longer one looks like a sleep.
    for _ in range(6):
        page.clock.run_for(3_000)

    expect(content).to_have_attribute(
        "data-progress", re.compile(r"Taking longer than usual · 2\ds")
    )
    first.open()
    expect(content).to_have_text("One")
    expect(content).not_to_have_attribute("data-progress", re.compile("."))

    page.clock.run_for(7_500)
    expect(content).to_have_attribute("data-progress", re.compile(r"Still writing · [67]s"))
    second.open()
    expect(page.locator(".cs-content[data-progress]")).to_have_count(0)
    expect(page.get_by_text("One.")).to_be_visible()


def test_a_lost_connection_is_not_the_models_fault(
    page: Page, context: BrowserContext, server: Server, stub: Stub
) -> None:
    conversation = stub.conversation()
    conversation.add("assistant", status="generating")
    page.clock.install()
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    page.clock.run_for(4_000)
    expect(page.locator(".cs-content[data-progress]")).to_have_count(1)
    context.set_offline(True)
    expect(page.locator(".cs-conn")).to_contain_text("You are offline")
    page.clock.run_for(2_000)
    expect(page.locator(".cs-content[data-progress]")).to_have_count(0)
