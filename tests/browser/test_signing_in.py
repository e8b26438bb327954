"""A visitor chats in the widget without an account, signs in, and finds the chat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, render_template_string, request
from playwright.sync_api import Page, expect
from sqlalchemy import select

from flask_chatstream.access import COOKIE
from flask_chatstream.models import Conversation
from flask_chatstream.testing import Pause
from tests.hosts import Host, open_host, serve
from tests.logins import add_flask_login

from .e2e.person import Tab

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head>
<body><h1>Shop</h1><a id="sign-in" href="/sign-in?next=/">Sign in</a>
{{ chatstream_widget() }}</body></html>"""


def add_shop(app: Flask) -> None:
    add_flask_login(app)
    app.add_url_rule("/", "home", lambda: render_template_string(PAGE))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path, add_shop, CHATSTREAM_CLAIM_ON_LOGIN=True) as host:
        yield host


def launch(tab: Tab, address: str) -> None:
    tab.page.goto(address)
    tab.page.locator(".cs-launcher").click()


def test_the_chat_is_there_after_the_log_in(site: Host, browser_page: Page) -> None:
    gate = Pause()
    site.provider.enqueue("It is on its way", gate, " and comes tomorrow.")
    tab = Tab(browser_page)

    with serve(site.app) as address:
        launch(tab, f"{address}/")
        tab.wait_ready().ask("Where is my order?").see("It is on its way")
        before = browser_page.context.cookies()
        browser_page.locator("#sign-in").click()
        browser_page.get_by_role("button", name="Sign me in").click()
        browser_page.wait_for_url(f"{address}/")
        tab.wait_ready().see("It is on its way")
        expect(tab.messages.first).to_contain_text("Where is my order?")
        gate.release()
        tab.see("and comes tomorrow.").see_end()
        after = browser_page.context.cookies()

        assert [c["name"] for c in before if "chatstream" in c["name"]] == ["chatstream_owner"]
        assert not [c for c in after if "chatstream" in c["name"]]
        tab.page.goto(f"{address}/chat/")
        expect(tab.page.locator(".cs-item")).to_have_count(1)
        browser_page.goto("about:blank")


def test_a_question_in_the_moment_of_the_log_in_is_kept(site: Host, browser_page: Page) -> None:
    """It stayed with the anonymous id: asked, answered, and never seen again."""

    tab, claims = Tab(browser_page), []

    @site.chat.authorize
    def claim_now(act: str, owner: str, object: str | None) -> bool:
        if act == "ask" and owner.startswith("anonymous:"):
            elsewhere = site.client()
            elsewhere.set_cookie(COOKIE, request.cookies[COOKIE])
            claims.append(elsewhere.get("/in/ada").status_code)

        return True

    with serve(site.app) as address:
        browser_page.goto(f"{address}/chat/")
        tab.wait_ready().ask("Where is my order?")
        notice = browser_page.get_by_role("alert")
        expect(notice).to_contain_text("You have signed in meanwhile. Please send it again.")
        expect(tab.field).to_have_value("Where is my order?")
        other = browser_page.context.new_page()
        other.goto(f"{address}/in/ada")
        other.close()
        notice.locator(".cs-retry").click()
        tab.see_end()
        browser_page.goto("about:blank")

    with site.read() as session:
        assert claims == [200]
        assert session.scalars(select(Conversation.owner)).all() == ["ada"]


def test_the_widget_offers_to_sign_in(tmp_path: Path, browser_page: Page) -> None:
    tab = Tab(browser_page)

    with (
        open_host(tmp_path, add_shop, CHATSTREAM_ANONYMOUS="sign_in") as host,
        serve(host.app) as address,
    ):
        launch(tab, f"{address}/?page=2")
        offer = browser_page.locator(".cs-widget .cs-sign-in")
        expect(offer).to_contain_text("Please sign in to chat.")
        offer.get_by_role("link", name="Sign in").click()
        browser_page.get_by_role("button", name="Sign me in").click()
        browser_page.wait_for_url(f"{address}/?page=2")
        tab.wait_ready().ask("Am I in?").see_end()
        browser_page.goto("about:blank")
