"""What is left when our script, or any script, cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .looking import host_script
from .stub import Server, Stub, write_slowly

FAST = 0.005


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    """A page without JavaScript."""

    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(20_000)

    yield page

    context.close()


@pytest.mark.parametrize("version", ["ours", "htmx-1", "htmx-2"])
def test_htmx_alone_polls_a_page_loaded_in_mid_answer(
    browser_page: Page, server: Server, stub: Stub, version: str
) -> None:
    stub.csp = "default-src 'self'"
    if version != "ours":
        stub.chosen["host.js"] = host_script(version)
        stub.host_script = '<script src="/assets/host.js"></script>'
        stub.csp = None
    browser_page.route("**/chatstream.js", lambda route: route.abort())
    conversation = stub.conversation()
    conversation.add("user", "A question")
    answer = conversation.add("assistant", status="generating").show("<p>So far</p>")
    browser_page.goto(f"{server.url}/chat/c/{conversation.id}")
    expect(browser_page.locator(".cs-poller")).to_have_count(1)
    answer.show("<p>So far, and the rest</p>")
    answer.status = "completed"
    conversation.version += 1

    expect(browser_page.locator(".cs-content").last).to_have_text("So far, and the rest")
    expect(browser_page.locator(".cs-poller")).not_to_have_attribute("hx-get", "")
    expect(browser_page.locator(".cs-message")).to_have_count(2)
    expect(browser_page.locator('[data-action="regenerate"]')).to_be_visible()


@pytest.mark.parametrize("version", ["ours", "htmx-1", "htmx-2"])
def test_htmx_alone_asks_and_shows_the_answer(
    browser_page: Page, server: Server, stub: Stub, version: str
) -> None:
    stub.csp = None
    if version != "ours":
        stub.chosen["host.js"] = host_script(version)
        stub.host_script = '<script src="/assets/host.js"></script>'
    stub.answers = lambda conversation, answer: write_slowly(conversation, answer, FAST)
    browser_page.route("**/chatstream.js", lambda route: route.abort())
    conversation = stub.conversation()
    conversation.add("user", "A question")
    browser_page.goto(f"{server.url}/chat/c/{conversation.id}")
    browser_page.wait_for_function("() => window.htmx")
    browser_page.locator("textarea").fill("By htmx alone")
    browser_page.locator(".cs-send").click()

    expect(browser_page.get_by_text("By htmx alone")).to_be_visible()
    expect(browser_page.locator("textarea")).to_have_value("")
    expect(browser_page.locator(".cs-message").last).to_have_attribute("data-status", "completed")
    expect(browser_page.locator(".cs-message")).to_have_count(3)


@pytest.mark.parametrize("version", ["ours", "htmx-1", "htmx-2"])
def test_htmx_alone_says_why_a_question_is_refused(
    browser_page: Page, server: Server, stub: Stub, version: str
) -> None:
    stub.csp = None
    if version != "ours":
        stub.chosen["host.js"] = host_script(version)
        stub.host_script = '<script src="/assets/host.js"></script>'
    browser_page.route("**/chatstream.js", lambda route: route.abort())
    conversation = stub.conversation()
    conversation.add("user", "A question")
    stub.refusals.append((409, "generation_active", "An answer is being written.", 0))
    browser_page.goto(f"{server.url}/chat/c/{conversation.id}")
    browser_page.wait_for_function("() => window.htmx")
    browser_page.locator("textarea").fill("Too early")
    browser_page.locator(".cs-send").click()
    expect(browser_page.get_by_role("alert")).to_have_text("An answer is being written.")
    expect(browser_page.locator("textarea")).to_have_value("Too early")

    browser_page.locator(".cs-send").click()
    expect(browser_page.locator(".cs-message")).to_have_count(3)
    expect(browser_page.get_by_role("alert")).to_have_count(0)


def test_without_javascript_forms_and_a_refresh_do_it_all(
    plain_page: Page, server: Server, stub: Stub
) -> None:
    stub.answers = lambda conversation, answer: write_slowly(conversation, answer, FAST)
    plain_page.goto(f"{server.url}/chat/?new=1")
    plain_page.locator("textarea").fill("Without a script")
    plain_page.locator(".cs-send").click()

    expect(plain_page.locator('[data-role="user"]')).to_contain_text("Without a script")
    expect(plain_page.locator('[data-role="assistant"]')).to_have_attribute(
        "data-status", "completed"
    )
    assert plain_page.locator('meta[http-equiv="refresh"]').count() == 0


def test_without_javascript_an_answer_is_stopped(
    plain_page: Page, server: Server, stub: Stub
) -> None:
    conversation = stub.conversation()
    conversation.add("assistant", status="generating").show("<p>So far</p>")
    plain_page.goto(f"{server.url}/chat/c/{conversation.id}")
    plain_page.locator('[data-action="stop"]').click()

    expect(plain_page.locator("article")).to_have_attribute("data-status", "cancelled")


def test_without_javascript_the_launcher_is_a_link(plain_page: Page, server: Server) -> None:
    plain_page.goto(f"{server.url}/host")
    plain_page.locator(".cs-launcher").click()

    expect(plain_page.locator("textarea")).to_be_visible()


def test_a_blocked_stream_is_polled_around(browser_page: Page, server: Server, stub: Stub) -> None:
    conversation = stub.conversation()
    answer = conversation.add("assistant", status="generating").show("<p>So far</p>")

    def block(route) -> None:  # type: ignore[no-untyped-def]
        if "event-stream" not in route.request.headers["accept"]:
            route.continue_()

    browser_page.route("**/events?*", block)
    browser_page.goto(f"{server.url}/chat/c/{conversation.id}")
    answer.show("<p>So far and on</p>")
    conversation.version += 1

    expect(browser_page.get_by_text("So far and on")).to_be_visible(timeout=8_000)
    expect(browser_page.locator(".cs-conn")).to_have_text("Updating every second")


def test_pages_are_clean_to_the_accessibility_checker(
    browser_page: Page, server: Server, stub: Stub, axe: Path
) -> None:
    stub.csp = None
    conversation = stub.conversation()
    conversation.add("user", "A question")
    conversation.add("assistant", status="error", error_text="The model is overloaded.")
    waiting = stub.conversation("Being written")
    waiting.add("assistant", status="generating")
    browser_page.add_init_script(path=axe)

    for scheme in ("light", "dark"):
        browser_page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in (f"c/{conversation.id}", f"c/{waiting.id}", "?new=1", "error"):
            browser_page.goto(f"{server.url}/chat/{path}")
            found = browser_page.evaluate("() => axe.run()")
            assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
