"""What the tests of the page look at."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.services import ROOT, missing

from .stub import Conversation, Server, Stub

LIVE = '.cs-conversation[data-conn="live"]'
NODE_MODULES = Path(os.environ.get("CHATSTREAM_TEST_NODE_MODULES", ROOT / "node_modules"))
IDLE = '.cs-conversation[data-conn="idle"]'


def go(page: Page, server: Server, conversation: Conversation) -> None:
    page.goto(f"{server.url}/chat/c/{conversation.id}")


def events_asked(stub: Stub) -> list[tuple[str, str]]:
    """Cursor and dress of every request for events, in order."""

    return [
        (values.get("cursor", ""), "stream" if "event-stream" in headers["Accept"] else "poll")
        for _, path, values, headers in stub.requests
        if path.endswith("/events")
    ]


def open_page(page: Page, server: Server, path: str) -> None:
    page.goto(f"{server.url}/chat/{path}")
    page.wait_for_function("() => window.htmx && document.querySelector('.cs-live')")


def asked(stub: Stub) -> list[dict[str, str]]:
    return [values for method, _, values, _ in stub.requests if method == "POST"]


def host_script(name: str) -> Path:
    path = NODE_MODULES / name / "dist" / "htmx.min.js"

    return path if path.is_file() else missing(f"node_modules/{name}")
