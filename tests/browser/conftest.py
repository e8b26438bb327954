"""The stub server, and a page that looks at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from .stub import Conversation, Message, Server, Stub

WATCH_CSP = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  ({ violatedDirective, blockedURI, sample }) =>
    window.violations.push(`${violatedDirective} ${blockedURI} ${sample}`));
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """The stub on a free port."""

    server = Server()

    yield server

    server.close()


@pytest.fixture
def stub(server: Server) -> Stub:
    """What the stub holds."""

    return server.stub


@pytest.fixture
def page(browser_page: Page, server: Server) -> Iterator[Page]:
    """A page under a strict policy: a violation fails the test."""

    browser_page.add_init_script(WATCH_CSP)

    yield browser_page

    if server.stub.csp and browser_page.url.startswith("http"):
        assert browser_page.evaluate("() => window.violations ?? []") == []


@pytest.fixture
def context(page: Page) -> BrowserContext:
    """The profile of the page, for more tabs of it."""

    return page.context


@pytest.fixture
def running(stub: Stub) -> tuple[Conversation, Message]:
    """A conversation whose answer is being written, with a first open block."""

    conversation = stub.conversation()
    conversation.add("user", "A question")
    answer = conversation.add("assistant", status="generating").show("<p>One</p>", final=False)

    return conversation, answer


@pytest.fixture
def conversation(stub: Stub) -> Conversation:
    """A conversation with one question."""

    conversation = stub.conversation()
    conversation.add("user", "A question")

    return conversation
