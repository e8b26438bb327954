"""What fails says so in words, loses nothing that was typed, and can be tried again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from .e2e.model import Model
from .e2e.person import Tab
from .e2e.site import Site

pytest_plugins = ["tests.browser.e2e.fixtures"]

FAILURES = {
    "before the first word": ("[[tokens=9 status=500 times=3]]", "had a failure"),
    "by a wrong key": ("[[tokens=9 status=401 times=1]]", "key for the model was not accepted"),
    "by too many": ("[[tokens=9 status=429 retry_after=30 times=1]]", "too many requests"),
    "with a page": ("[[tokens=9 status=404 times=1 content_type=text/html]]", "not available"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_of_the_provider_is_told_and_tried_again(tab: Tab, case: str) -> None:
    directive, words = FAILURES[case]
    question = f"It fails {case} {directive}"
    tab.open().ask(question).see_end("error")
    expect(tab.answer).to_contain_text(words)
    assert tab.words == []
    expect(tab.field).to_have_value("")
    live = tab.dom
    tab.reload()
    assert tab.wait_ready().dom == live

    tab.act("regenerate")
    tab.see_end().check_whole()
    assert len(tab.words) == 9
    expect(tab.messages).to_have_count(2)
    assert tab.stored()[0]["content"] == question


@pytest.mark.parametrize("how", ["error_after=5", "malformed_after=5", "cut=900", "finish=none"])
def test_a_failure_in_mid_answer_keeps_what_was_written(tab: Tab, how: str) -> None:
    tab.open().ask(f"It breaks off [[tokens=10 {how}]]").see_end("error")
    tab.check_whole("error")
    assert tab.words[:2] == ["w0", "w1"]
    expect(tab.answer.locator(".cs-failure")).not_to_be_empty()
    expect(tab.answer.locator('[data-action="copy"]')).to_be_visible()
    live = tab.dom
    tab.reload()
    assert tab.wait_ready().dom == live

    tab.ask("Go on [[tokens=4]]")
    expect(tab.messages).to_have_count(4)
    tab.see_end().check_whole()


def test_a_model_that_cannot_be_reached_is_reached_later(tab: Tab, site: Site) -> None:
    tab.open("/lonely/?new=1").ask("Anybody there? [[tokens=6]]").see_end("error")
    expect(tab.answer).to_contain_text("The model could not be reached.")

    with Model(site.lonely_port):
        tab.act("regenerate")
        tab.see_end()

    assert len(tab.words) == 6


def test_nothing_is_not_sent(tab: Tab, model: Model) -> None:
    tab.open()
    before = len(model.calls)
    send = tab.page.get_by_role("button", name="Send message")
    expect(send).to_be_disabled()
    tab.ask("   ")
    expect(send).to_be_disabled()
    tab.ask("Something [[tokens=2]]").see_end()

    assert len(model.calls) == before + 1
    expect(tab.messages).to_have_count(2)


def test_too_much_is_told_while_it_is_typed(tab: Tab) -> None:
    tab.open()
    tab.field.fill("🦉" * 2001)
    expect(tab.page.locator(".cs-count")).to_have_text("−1")
    tab.field.press("Enter")
    expect(tab.page.locator(".cs-pending")).to_have_count(0)
    expect(tab.field).to_have_value("🦉" * 2001)
    tab.field.fill("🦉" * 2000)
    tab.field.press("Enter")
    tab.see_end().check_whole()


def test_too_much_for_the_server_is_kept(tab: Tab) -> None:
    tab.open()
    tab.page.locator(".cs-composer").evaluate("(form) => delete form.dataset.max")
    tab.ask("x" * 2001)
    expect(tab.page.get_by_role("alert")).to_contain_text("too long: 2,001 characters of 2,000")
    expect(tab.field).to_have_value("x" * 2001)
    tab.ask("Short [[tokens=3]]").see_end().check_whole()

    expect(tab.page.get_by_role("alert")).to_have_count(0)
    expect(tab.page.locator(".cs-message")).to_have_count(2)


def test_a_server_that_is_being_updated_is_asked_again(tab: Tab, site: Site, model: Model) -> None:
    question = "During an update [[tokens=4]]"
    tab.open()
    site.set_draining(True)

    try:
        tab.ask(question)
        expect(tab.page.get_by_role("alert")).to_contain_text("being updated")
        expect(tab.field).to_have_value(question)
        expect(tab.page.locator(".cs-retry")).to_be_disabled()
    finally:
        site.set_draining(False)

    tab.page.locator(".cs-retry").click()
    tab.see_end().check_whole()
    assert len(model.calls_for(question)) == 1


def test_an_answer_that_was_lost_on_the_way_is_not_asked_twice(tab: Tab, model: Model) -> None:
    question = "Asked once [[tokens=5]]"
    tab.open()

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    tab.page.route("**/chat/c", lose, times=1)
    tab.ask(question)
    expect(tab.page.get_by_role("alert")).to_contain_text("could not be reached")
    tab.page.get_by_role("button", name="Try again").click()
    tab.see_end().check_whole()

    assert len(model.calls_for(question)) == 1
    assert len(tab.stored()) == 2
    expect(tab.page.locator(".cs-message")).to_have_count(2)


def test_an_expired_token_is_renewed_by_itself(tab: Tab, model: Model) -> None:
    tab.open().ask("First [[tokens=2]]").see_end()
    tab.page.context.clear_cookies(name="session")
    question = "After a long time [[tokens=3]]"
    tab.ask(question)
    expect(tab.messages).to_have_count(4)
    tab.see_end().check_whole()
    first = tab.answer.get_attribute("id") or ""
    tab.page.context.clear_cookies(name="session")
    tab.act("regenerate")
    expect(tab.answer).not_to_have_id(first)
    tab.see_end().check_whole()
    assert len(model.calls_for(question)) == 2
    expect(tab.page.locator(".cs-toast")).to_have_count(0)


def test_without_the_cookie_of_the_owner_nothing_typed_is_lost(tab: Tab) -> None:
    tab.open().ask("Mine [[tokens=2]]").see_end()
    tab.page.context.clear_cookies()
    tab.ask("Whose? [[tokens=3]]")

    expect(tab.page.get_by_role("alert")).to_contain_text("no such conversation")
    expect(tab.field).to_have_value("Whose? [[tokens=3]]")


def test_what_is_typed_survives_a_refresh(tab: Tab) -> None:
    tab.open()
    tab.field.fill("Not sent yet")
    tab.reload()
    tab.wait_ready()

    expect(tab.field).to_have_value("Not sent yet")


def test_a_conversation_of_somebody_else_is_not_there(tab: Tab) -> None:
    response = tab.page.goto(f"/chat/c/{'0' * 32}")

    assert response is not None and response.status == 404
    expect(tab.page.get_by_role("heading", name="Not found")).to_be_visible()
    tab.page.get_by_role("link", name="Back to your chats").click()
    tab.wait_ready()
