"""How <chat-stream> loses its connection and comes back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import formatdate
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.waiting import wait_for

from .looking import IDLE, LIVE, events_asked, go
from .plays import END, PADDING, Gate, block, event, no_stream, refusal, silence, status, stream
from .stub import Conversation, Message, Server, Stub


def test_a_cut_stream_goes_on_from_the_last_cursor(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    stub.plays += [
        stream(event(block(answer.id, 0, "<p>One two</p>"), "a")),
        stream(
            event(block(answer.id, 0, "<p>One two three</p>", final=True), "b"),
            event(status(answer.id, "completed"), "c"),
            END,
        ),
    ]
    go(page, server, conversation)

    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("One two three")
    expect(page.locator(IDLE)).to_have_count(1)
    assert events_asked(stub) == [("2", "stream"), ("a", "stream")]


def test_a_refused_stream_backs_off_in_words_and_comes_back(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    """F38."""

    conversation, answer = running
    stub.plays += [
        refusal(503),
        refusal(503),
        refusal(502),
        stream(event(block(answer.id, 0, "<p>Back</p>"), "a"), Gate()),
    ]
    go(page, server, conversation)

    expect(page.locator(".cs-conn")).to_have_text("Connection lost. Reconnecting…")
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("Back")
    expect(page.locator(LIVE)).to_have_count(1)
    expect(page.locator(".cs-conn")).to_have_text("")
    gaps = [later - earlier for earlier, later in pairwise(stub.event_times)]
    assert all(low <= gap <= high for gap, (low, high) in zip(gaps, BACKOFF, strict=True))


def test_without_a_free_stream_it_polls_until_there_is_one(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    stub.plays += [
        no_stream(block(answer.id, 0, "<p>One</p>"), "a"),
        no_stream("", "a"),
        stream(event(block(answer.id, 0, "<p>One two</p>"), "b"), Gate()),
    ]
    go(page, server, conversation)

    expect(page.locator(".cs-conn")).not_to_have_text("")
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("One two")
    expect(page.locator(LIVE)).to_have_count(1)
    assert events_asked(stub) == [("2", "stream"), ("a", "stream"), ("a", "stream")]
    assert all(later - earlier > 0.4 for earlier, later in pairwise(stub.event_times))


#: Half to all of 0.4, 0.8, 1.6 seconds, with room for a slow machine above.
BACKOFF = [(0.19, 1.2), (0.39, 1.6), (0.79, 2.4)]


def in_seconds(seconds: int) -> str:
    """A moment as a header says it."""

    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("after", [lambda: 4, lambda: in_seconds(5)], ids=["number", "date"])
def test_retry_after_is_obeyed(
    page: Page,
    server: Server,
    stub: Stub,
    running: tuple[Conversation, Message],
    after: Callable[[], int | str],
) -> None:
    conversation, answer = running
    stub.plays += [
        lambda: refusal(429, retry_after=after())(),
        stream(event(block(answer.id, 0, "<p>Back</p>"), "a"), END),
    ]
    go(page, server, conversation)

    expect(page.locator(".cs-conn")).to_have_text(re.compile(r"Too many requests.* \([1-5]\)$"))
    page.evaluate("() => dispatchEvent(new Event('online'))")
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("Back", timeout=15_000)
    first, second = stub.event_times[:2]
    assert second - first >= 3.9


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_is_gone_is_not_asked_again(
    page: Page,
    server: Server,
    stub: Stub,
    running: tuple[Conversation, Message],
    code: int,
) -> None:
    stub.plays.append(refusal(code))
    go(page, server, running[0])

    expect(page.locator(".cs-conn")).to_contain_text("no longer available")
    page.evaluate("() => dispatchEvent(new Event('online'))")
    assert len(events_asked(stub)) == 1


def test_a_page_of_somebody_else_is_never_shown(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    html = f'<div id="cs-m{answer.id}-b0" class="cs-block"><p>Log in here</p></div>'
    page.route(
        "**/events?*",
        lambda route: route.fulfill(status=200, body=html, content_type="text/html"),
        times=2,
    )
    go(page, server, conversation)

    expect(page.locator(LIVE)).to_have_count(1)
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("One")


def test_a_held_back_stream_becomes_polling(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    """F39: a proxy that buffers."""

    conversation, answer = running
    gate = Gate()
    stub.plays.append(silence(gate))
    go(page, server, conversation)

    expect(page.locator('[data-conn="polling"]').first).to_be_attached(timeout=8_000)
    answer.show("<p>One and more</p>")
    answer.status = "completed"
    conversation.version += 1
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("One and more")
    expect(page.locator(IDLE)).to_have_count(1)
    gate.open()


def test_what_holds_streams_back_is_remembered_for_a_while(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    gate = Gate()
    stub.plays.append(silence(gate))
    go(page, server, running[0])
    expect(page.locator('[data-conn="polling"]').first).to_be_attached(timeout=8_000)
    page.reload()
    expect(page.locator('[data-conn="polling"]').first).to_be_attached()
    page.evaluate("() => document.querySelector('chat-stream').sync()")
    polled = len(events_asked(stub))
    wait_for(lambda: len(events_asked(stub)) > polled + 1)
    assert [dress for _, dress in events_asked(stub)].count("stream") == 1

    page.clock.set_fixed_time(datetime.now() + timedelta(minutes=2))
    page.evaluate("() => document.querySelector('chat-stream').sync()")
    expect(page.locator(LIVE)).to_have_count(1)
    page.reload()
    expect(page.locator(LIVE)).to_have_count(1)
    gate.open()


def test_a_silent_stream_is_left(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    gate = Gate()
    stub.plays.append(silence(gate, PADDING))
    page.clock.install()
    go(page, server, running[0])
    expect(page.locator(LIVE)).to_have_count(1)
    before = len(events_asked(stub))
    page.clock.run_for(26_000)

    wait_for(lambda: page.clock.run_for(500) or len(events_asked(stub)) > before)
    gate.open()


def test_back_online_reconnects_at_once(
    page: Page, context: BrowserContext, server: Server, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    context.set_offline(True)
    expect(page.locator(".cs-conn")).to_contain_text("You are offline")
    answer.show("<p>Written meanwhile</p>")
    conversation.version += 1
    context.set_offline(False)

    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("Written meanwhile", timeout=2_000)
    expect(page.locator(LIVE)).to_have_count(1)


def test_a_hidden_tab_closes_and_catches_up(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    """F39: as before a sleep."""

    conversation, answer = running
    gate = Gate()
    stub.plays.append(stream(gate))
    page.clock.install()
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    _hide(page, True)
    page.clock.run_for(11_000)
    expect(page.locator('.cs-conversation[data-conn="paused"]')).to_have_count(1)
    assert gate.left.wait(5)

    answer.show("<p>Written while hidden</p>")
    conversation.version += 1
    _hide(page, False)
    wait_for(lambda: len(events_asked(stub)) > 1)
    wait_for(
        lambda: page.clock.run_for(300) or "while hidden" in page.locator(".cs-log").inner_text()
    )


def _hide(page: Page, hidden: bool) -> None:
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_three_tabs_stream_and_the_fourth_polls(
    context: BrowserContext,
    page: Page,
    server: Server,
    running: tuple[Conversation, Message],
) -> None:
    """F39: connections are few on HTTP/1.1."""

    tabs = [page, *(context.new_page() for _ in range(3))]
    for tab in tabs:
        go(tab, server, running[0])
        expect(tab.locator(f'{LIVE}, .cs-conversation[data-conn="polling"]')).to_have_count(1)

    states = [tab.locator(".cs-conversation").get_attribute("data-conn") for tab in tabs]
    assert sorted(states, key=str) == ["live", "live", "live", "polling"]
    tabs[0].close() if tabs[0] is not page else tabs[1].close()
    expect(tabs[3].locator(LIVE)).to_have_count(1)
