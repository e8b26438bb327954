"""Leaving in mid-answer and coming back: refresh, closed tabs, other tabs, other conversations."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, expect

from .e2e.model import Model
from .e2e.person import ADDRESS, Tab
from .e2e.texts import TEAS

pytest_plugins = ["tests.browser.e2e.fixtures"]

WORD = re.compile(r"\bw\d+\b")


def test_a_refresh_shows_all_of_the_text_so_far_and_the_rest_arrives(
    tab: Tab, model: Model
) -> None:
    question = "Refresh me"
    model.tell(question, tokens=160, rate=40)
    tab.open().ask(question)

    for seen in (10, 45, 80):
        tab.see(f"w{seen}")
        before = tab.words
        served = WORD.findall(tab.reload().text())
        assert served[: len(before)] == before
        tab.wait_ready()
        tab.see(f"w{seen + 10}")

    tab.see_end().check_whole()
    assert tab.words == [f"w{n}" for n in range(160)]
    assert len(model.calls_for(question)) == 1


def test_a_refresh_in_formatted_text_ends_in_the_same_page(tab: Tab, model: Model) -> None:
    go_on = model.tell("Refresh the teas", text=TEAS, stall="mid")
    tab.open().ask("Refresh the teas").see("Black, at 95")
    tab.reload()
    tab.wait_ready().see_state("live").see("Black, at 95")
    go_on.set()
    tab.see_end()

    live = tab.dom
    tab.reload()
    tab.wait_ready()
    assert tab.dom == live
    assert tab.stored()[-1]["content"] == TEAS


def test_a_closed_tab_finds_its_answer_finished(tab: Tab, model: Model) -> None:
    go_on = model.tell("I leave", tokens=40, stall="mid")
    tab.open().ask("I leave").see("w19")
    address = tab.page.url
    later = tab.another()
    tab.page.close()
    go_on.set()
    later.page.goto("/about")
    model.wait_sent("I leave", 40)
    later.open("/chat/").see_end().check_whole()

    assert later.page.url.endswith("/chat/")
    later.open(address).check_whole()
    assert len(later.words) == 40


def test_two_tabs_show_the_same_live(tab: Tab, model: Model) -> None:
    go_on = model.tell("For two", tokens=40, stall="mid")
    tab.open().ask("For two").see("w19")
    other = tab.another().open(tab.page.url).see("w19")
    go_on.set()

    for each in (tab, other):
        each.see_end().check_whole()

    other.ask("From the other [[tokens=7]]")
    expect(tab.messages).to_have_count(4)
    expect(tab.page.locator('[data-role="user"]').last).to_contain_text("From the other")

    for each in (tab, other):
        each.see_end().check_whole()
        expect(each.page.locator(".cs-pending")).to_have_count(0)

    assert tab.dom == other.dom


def test_two_tabs_may_ask_at_once(tab: Tab, model: Model) -> None:
    tab.open().ask("A start [[tokens=2]]").see_end()
    other = tab.another().open(tab.page.url)
    go_on = model.tell("Mine", tokens=30, stall="first")
    tab.ask("Mine")
    expect(other.messages).to_have_count(4)
    other.field.fill("Meanwhile")
    other.field.press("Enter")
    expect(other.field).to_have_value("Meanwhile")
    expect(tab.messages).to_have_count(4)
    go_on.set()

    for each in (tab, other):
        each.see_end().check_whole()

    assert tab.dom == other.dom


def test_two_conversations_are_answered_at_once(tab: Tab, model: Model) -> None:
    ends = {name: model.tell(name, tokens=30, stall="mid") for name in ("Apples", "Pears")}
    tab.open().ask("Apples").see("w14")
    apples = tab.page.url
    tab.page.get_by_role("link", name="New chat").first.click()
    tab.wait_ready().ask("Pears").see("w14")
    expect(tab.page).to_have_url(ADDRESS)
    pears = tab.page.url
    assert pears != apples

    listed = tab.page.locator(".cs-conversations a[data-conversation-id]")
    expect(listed).to_have_text(["Pears", "Apples"])
    tab.page.get_by_role("link", name="Apples").click()
    tab.wait_ready().see("w14")
    expect(tab.page.locator('[data-role="user"]')).to_have_text(re.compile("Apples"))
    ends["Apples"].set()
    tab.see_end().check_whole()
    ends["Pears"].set()

    for name in ("Pears", "Apples", "Pears"):
        tab.page.get_by_role("link", name=name).click()
        tab.wait_ready()
        expect(tab.page.locator('[data-role="user"]')).to_have_text(re.compile(name))
        tab.see_end().check_whole()
        assert len(tab.words) == 30


def test_many_conversations_in_many_tabs(visitor: BrowserContext) -> None:
    tabs = [Tab(visitor.new_page()).open() for _ in range(5)]

    for n, tab in enumerate(tabs):
        tab.ask(f"Number {n} [[tokens={30 + n} rate=60]]")

    for n, tab in enumerate(tabs):
        tab.see_end().check_whole()
        assert tab.words == [f"w{i}" for i in range(30 + n)]

    tab = tabs[0]
    tab.reload()
    expect(tab.wait_ready().page.locator(".cs-item")).to_have_count(5)


def test_back_and_forward_find_their_conversations(tab: Tab) -> None:
    tab.open().ask("First [[tokens=3]]").see_end()
    first = tab.page.url
    tab.page.get_by_role("link", name="New chat").first.click()
    tab.wait_ready().ask("Second [[tokens=4]]").see_end()
    tab.page.go_back()
    tab.wait_ready()
    expect(tab.page).to_have_url(first)
    expect(tab.body).to_have_text(re.compile("w0 w1 w2"))
    tab.page.go_forward()
    tab.wait_ready().check_whole()
    assert len(tab.words) == 4


def test_earlier_messages_come_when_they_are_wanted(tab: Tab) -> None:
    said = [f"Message {n}" for n in range(131)]
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    tab.open().call("/chat", messages=turns, stream=False)
    tab.open("/chat/")
    expect(tab.messages).to_have_count(100)
    tab.page.get_by_role("link", name="Show earlier messages").click()
    expect(tab.messages).to_have_count(132)
    texts = tab.page.locator(".cs-message .cs-content").all_text_contents()
    assert [text.strip() for text in texts[:-1]] == said
    expect(tab.page.locator(".cs-older")).to_have_count(0)

    tab.ask("And now? [[tokens=4]]")
    expect(tab.messages).to_have_count(134)
    tab.see_end().check_whole()


def test_older_conversations_come_when_they_are_wanted(tab: Tab) -> None:
    tab.open()

    for n in range(53):
        tab.call("/conversations", title=f"Chat {n}")

    tab.open()
    items = tab.page.locator(".cs-item")
    expect(items).to_have_count(50)
    tab.page.get_by_role("link", name="Show more").click()
    expect(items).to_have_count(53)
    expect(items.last).to_contain_text("Chat 0")
