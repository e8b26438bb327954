"""The chat on real servers: pytest-flask's live server, threads, and a browser without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from flask import Flask
from httpx_sse import connect_sse

from flask_chatstream.providers.scripted import Pause
from tests.hosts import API, Host, open_host, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_flask.live_server import LiveServer


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """The app of the live server, which runs in a process of its own."""

    with open_host(tmp_path) as host:
        host.provider.default = "From another **process**."

        yield host.app


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


def test_a_question_to_the_live_server(live_server: LiveServer) -> None:
    with httpx.Client(base_url=live_server.url(), timeout=20) as http:
        with connect_sse(http, "POST", f"{API}/chat", json={"message": "Hi"}) as source:
            start, *deltas, end = [event.json() for event in source.iter_sse()]

        page = http.get(f"/chat/c/{start['conversation_id']}").text
        again = http.get(start["stream_url"]).text

    assert "".join(d["delta"] for d in deltas) == "From another **process**."
    assert end["status"] == "completed"
    assert "<p>From another <strong>process</strong>.</p>" in page
    assert '"From another **process**."' in again


def test_the_live_server_sends_what_it_has_at_once(host: Host) -> None:
    gate = Pause()
    host.provider.enqueue("First", gate, " and last.")

    with (
        serve(host.app) as address,
        httpx.Client(base_url=address, timeout=20) as http,
        connect_sse(http, "POST", f"{API}/chat", json={"message": "Hi"}) as source,
    ):
        events = source.iter_sse()
        text = ""

        while text != "First":
            text += next(events).json().get("delta", "")

        gate.release()
        text += "".join(event.json().get("delta", "") for event in events)

    assert text == "First and last."


def test_a_browser_without_scripts_sees_the_answer_grow(host: Host, browser: Browser) -> None:
    gate = Pause()
    host.provider.enqueue("First half", gate, ", second half.")

    with serve(host.app) as address:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{address}/chat/")
        page.fill("textarea[name=content]", "Does it work?")
        page.click("button[type=submit].cs-send")
        page.wait_for_url("**/chat/c/*")
        answer = page.locator('[data-role="assistant"]')
        answer.get_by_text("First half").wait_for()
        assert answer.get_attribute("data-status") == "generating"

        gate.release()
        answer.get_by_text("First half, second half.").wait_for()
        assert answer.get_attribute("data-status") == "completed"
        assert page.locator("meta[http-equiv=refresh]").count() == 0
        context.close()
