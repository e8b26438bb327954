"""In a real browser: a deploy under an open page, and more tabs than connections (F38, F39)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from .acts import answer_of, check_all
from .model import WORD
from .recorder import Person, Recorder
from .rig import Rig, Server, Setup, wait_until
from .viewers import ChatViewer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.faults]

HOOKS = Setup(hooks=True, grace=10, config={"CHATSTREAM_DRAIN_SECONDS": 1.0})


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own; the site takes the owner from a header."""

    context = browser.new_context()
    context.set_default_timeout(30_000)

    yield context

    context.close()


def open_page(context: BrowserContext, server: Server, person: Person, chat: ChatViewer) -> Page:
    """A tab of a conversation."""

    context.set_extra_http_headers({"X-Owner": person.name})
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/chat/c/{chat.conversation_id}")

    return page


def words_of(page: Page) -> list[str]:
    """The answer's words as they stand on the page."""

    return WORD.findall(page.locator(".cs-message[data-role=assistant] .cs-content").inner_text())


def wait_end(page: Page, status: str) -> None:
    """Wait until the page says by itself how the answer ended."""

    answer = page.locator(f'.cs-message[data-role=assistant][data-status="{status}"]')
    expect(answer).to_have_count(1, timeout=30_000)
    # What is off the screen has no text to a browser that saves the work.
    page.add_style_tag(content="* { content-visibility: visible !important }")


def test_F38_a_deploy_under_an_open_page(rig: Rig, context: BrowserContext) -> None:
    """F38: refused and 503 for a while; the page comes back by itself, with every word."""

    (server,) = rig.serve(1, setup=HOOKS)
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 4000, 50)
    page = open_page(context, server, ada, chat)
    wait_until(lambda: len(words_of(page)) > 20, 20)
    server.terminate()
    server.wait_exit(20)
    server.start()
    server.wait_ready()
    wait_end(page, "error")
    case = check_all(recorder)

    assert words_of(page) == WORD.findall(case.stored.messages[answer_of(chat)].text)


def test_F39_more_tabs_than_connections(rig: Rig, context: BrowserContext) -> None:
    """F39: seven tabs over HTTP/1.1, one of which goes elsewhere and back, show it to the end; the
    buffering proxy and the sleep have tests of their own."""

    (server,) = rig.serve(1)
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    chat = recorder.ask(server, ada, 600, 30)
    pages = [open_page(context, server, ada, chat) for _ in range(7)]
    pages[0].goto(f"http://127.0.0.1:{server.port}/chat/")
    pages[0].go_back()

    for page in pages:
        wait_until(lambda: len(words_of(page)) > 20, 20)  # noqa: B023

    for page in pages:
        wait_end(page, "completed")

    case = check_all(recorder)
    wanted = WORD.findall(case.stored.messages[answer_of(chat)].text)

    for page in pages:
        assert words_of(page) == wanted
