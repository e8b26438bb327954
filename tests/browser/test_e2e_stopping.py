"""Stop: what was written stays, the provider is let go, and nothing brings the answer back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .e2e.model import Model
from .e2e.person import Tab

pytest_plugins = ["tests.browser.e2e.fixtures"]


@pytest.mark.parametrize("way", ["composer", "escape"])
def test_stopping_in_mid_answer_keeps_what_was_written(tab: Tab, model: Model, way: str) -> None:
    question = f"Stop by {way}"
    model.tell(question, tokens=40, stall="mid")
    tab.open().ask(question).see("w19")
    stop(tab, way)
    tab.see_end("cancelled")

    assert model.calls_for(question)[0].wait_closed(timeout=3)
    tab.check_whole("cancelled")
    assert tab.words == [f"w{n}" for n in range(20)]
    expect(tab.answer).to_contain_text("You stopped this answer.")
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live
    assert tab.state == "idle"


def stop(tab: Tab, way: str) -> None:
    if way == "composer":
        tab.stop()
    else:
        tab.field.press("Escape")


@pytest.mark.parametrize("when", ["headers", "first"])
def test_stopping_before_the_first_word(tab: Tab, model: Model, when: str) -> None:
    question = f"Silent {when}"
    model.tell(question, stall=when)
    tab.open().ask(question)
    model.wait_sent(question, 0)
    expect(tab.answer).to_have_attribute("data-status", "generating")
    tab.stop()
    tab.see_end("cancelled")

    assert model.calls_for(question)[0].wait_closed(timeout=3)
    tab.reload()
    tab.wait_ready().check_whole("cancelled")
    assert tab.words == []


def test_a_stopped_answer_is_written_again(tab: Tab, model: Model) -> None:
    question = "Stop, then again"
    go_on = model.tell(question, tokens=40, stall="mid")
    tab.open().ask(question).see("w19")
    tab.stop()
    tab.see_end("cancelled")
    go_on.set()
    tab.act("regenerate")
    tab.see_end()

    tab.check_whole()
    assert len(tab.words) == 40
    expect(tab.messages).to_have_count(2)
    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live


def test_a_stop_is_seen_in_the_other_tab(tab: Tab, model: Model) -> None:
    model.tell("Stop for both", tokens=40, stall="mid")
    tab.open().ask("Stop for both").see("w19")
    other = tab.another().open(tab.page.url).see("w19")
    other.stop()

    for each in (tab, other):
        each.see_end("cancelled").check_whole("cancelled")

    assert tab.dom == other.dom


def test_another_answer_takes_its_place_in_the_other_tab(tab: Tab, model: Model) -> None:
    question = "Again for both"
    model.tell(question, tokens=6)
    tab.open().ask(question).see_end()
    other = tab.another().open(tab.page.url)
    go_on = model.tell(question, tokens=20, stall="mid")
    tab.act("regenerate")

    for each in (tab, other):
        each.see("w9")
        expect(each.messages).to_have_count(2)

    go_on.set()

    for each in (tab, other):
        each.see_end().check_whole()

    assert tab.dom == other.dom


def test_one_may_ask_on_after_a_stop(tab: Tab, model: Model) -> None:
    model.tell("Stop and ask on", tokens=40, stall="mid")
    tab.open().ask("Stop and ask on").see("w19")
    tab.field.fill("On [[tokens=3]]")
    tab.field.press("Escape")
    tab.see_end("cancelled")
    expect(tab.field).to_have_value("On [[tokens=3]]")
    tab.field.press("Enter")
    expect(tab.messages).to_have_count(4)
    tab.see_end().check_whole()
