"""<chat-stream> against a server that says exactly what arrives and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.waiting import wait_for

from .looking import IDLE, LIVE, events_asked, go
from .plays import END, Gate, block, event, status, stream
from .stub import Conversation, Message, Server, Stub


def test_an_idle_page_syncs_once(page: Page, server: Server, stub: Stub) -> None:
    conversation = stub.conversation()
    conversation.add("user", "A question")
    go(page, server, conversation)

    wait_for(lambda: events_asked(stub) == [("1", "poll")])
    expect(page.locator(IDLE)).to_have_count(1)
    assert events_asked(stub) == [("1", "poll")]


def test_a_stale_page_is_brought_up_to_date(page: Page, server: Server, stub: Stub) -> None:
    conversation = stub.conversation()
    conversation.add("user", "A question")
    body = page.request.get(f"{server.url}/chat/c/{conversation.id}").text()
    conversation.add("user", "Asked after the page was rendered")
    page.route("**/chat/c/*", lambda route: route.fulfill(body=body, content_type="text/html"))
    go(page, server, conversation)

    expect(page.get_by_text("Asked after the page was rendered")).to_be_visible()


def test_pieces_are_shown_as_they_come_and_the_end_is_said(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    first, second = Gate(), Gate()
    stub.plays.append(
        stream(
            event(block(answer.id, 0, "<p>One two</p>"), "a"),
            first,
            event(block(answer.id, 0, "<p>One two.</p>", final=True), "b"),
            event(block(answer.id, 1, "<p>Three</p>"), "c"),
            second,
            event(block(answer.id, 1, "<p>Three.</p>", final=True), "d"),
            event(status(answer.id, "completed"), "e"),
            END,
        )
    )
    go(page, server, conversation)
    content = page.locator(f"#cs-m{answer.id}-body")

    expect(page.locator(LIVE)).to_have_count(1)
    expect(content).to_have_text("One two")
    first.open()
    expect(content.locator(".cs-block")).to_have_text(["One two.", "Three"])
    second.open()
    expect(page.locator(IDLE)).to_have_count(1)
    expect(content.locator(".cs-final")).to_have_text(["One two.", "Three."])
    expect(page.locator(".cs-status")).to_have_text("Answer complete")
    assert page.locator("chat-stream").get_attribute("data-cursor") == "e"


def test_the_same_event_twice_and_a_late_one_change_nothing(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    """F37, in the script itself."""

    conversation, answer = running
    twice = event(
        block(answer.id, 0, "<p>One.</p>", final=True) + block(answer.id, 1, "<p>Two</p>"), "b"
    )
    stub.plays.append(
        stream(
            twice,
            twice,
            event(block(answer.id, 0, "<p>On</p>"), "a"),
            event(status(answer.id, "completed"), "c"),
            END,
        )
    )
    go(page, server, conversation)

    expect(page.locator(IDLE)).to_have_count(1)
    expect(page.locator(f"#cs-m{answer.id}-body .cs-block")).to_have_text(["One.", "Two"])


def test_what_cannot_be_placed_is_asked_for_whole(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    stub.plays.append(stream(event(block("f" * 32, 3, "<p>Of nowhere</p>"), "x"), Gate()))
    go(page, server, conversation)

    wait_for(lambda: ("", "stream") in events_asked(stub))
    expect(page.locator(".cs-message")).to_have_count(2)
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("One")


def test_stop_keeps_the_text_and_the_focus(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    page.get_by_role("button", name="Stop answering").focus()
    page.keyboard.press("Enter")

    article = page.locator(f"#cs-m{answer.id}")
    expect(article).to_have_attribute("data-status", "cancelled")
    expect(article.locator(".cs-content")).to_have_text("One")
    expect(article).to_contain_text("You stopped this answer")
    expect(page.locator(".cs-status")).to_have_text("Answer stopped")
    expect(page.locator("textarea")).to_be_focused()


def test_one_button_stops(
    page: Page, server: Server, running: tuple[Conversation, Message]
) -> None:
    go(page, server, running[0])

    expect(page.locator(LIVE)).to_have_count(1)
    expect(page.get_by_role("button", name="Stop")).to_have_count(1)


def test_the_selection_stays_while_the_text_grows(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    gate = Gate()
    grown = block(answer.id, 0, "<p>One and <strong>much</strong> more</p>")
    stub.plays.append(stream(gate, event(grown, "a"), Gate()))
    go(page, server, conversation)
    page.evaluate(
        """(id) => {
          const text = document.querySelector(`#cs-m${id}-b0 p`).firstChild;
          getSelection().setBaseAndExtent(text, 0, text, 3);
        }""",
        answer.id,
    )
    gate.open()

    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text("One and much more")
    assert page.evaluate("() => getSelection().toString()") == "One"


def test_the_log_follows_until_the_reader_scrolls_up(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    conversation, answer = running
    gates = Gate(), Gate()
    many = "".join(block(answer.id, n, f"<p>Line {n}</p>", final=True) for n in range(1, 60))
    more = "".join(block(answer.id, n, f"<p>Line {n}</p>", final=True) for n in range(60, 90))
    stub.plays.append(stream(event(many, "a"), gates[0], event(more, "b"), gates[1]))
    go(page, server, conversation)

    expect(page.get_by_text("Line 59")).to_be_in_viewport()
    page.evaluate("() => { document.querySelector('.cs-log').scrollTop -= 400 }")
    page.wait_for_function("() => !document.querySelector('.cs-jump').hidden")
    read = page.get_by_text("Line 50", exact=True)
    before = read.bounding_box()
    gates[0].open()
    expect(page.get_by_text("Line 89")).to_be_attached()
    after = read.bounding_box()
    assert before and after and abs(after["y"] - before["y"]) < 2
    page.locator(".cs-jump").click()
    expect(page.get_by_text("Line 89")).to_be_in_viewport()
    expect(page.locator(".cs-jump")).to_be_hidden()
    gates[1].open()


def test_an_element_that_goes_takes_its_stream_along(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    gate = Gate()
    stub.plays.append(stream(gate))
    go(page, server, running[0])
    expect(page.locator(LIVE)).to_have_count(1)
    page.evaluate("() => document.querySelector('.cs-conversation').remove()")

    assert gate.left.wait(5)
    page.evaluate("() => dispatchEvent(new Event('online'))")
    assert len(events_asked(stub)) == 1
    held = page.evaluate("async () => (await navigator.locks.query()).held.length")
    assert held == 0


def test_another_tab_sees_a_question_asked_here(
    context: BrowserContext, page: Page, server: Server, stub: Stub
) -> None:
    conversation = stub.conversation()
    conversation.add("user", "A question")
    other = context.new_page()
    for tab in (page, other):
        go(tab, server, conversation)
        expect(tab.locator(IDLE)).to_have_count(1)

    page.locator("textarea").fill("Asked in the first tab")
    page.keyboard.press("Enter")
    expect(other.get_by_text("Asked in the first tab")).to_be_visible()


def test_the_parser_passes_every_case_of_the_corpus(
    page: Page, server: Server, stub: Stub, corpora: Callable[[str], Path]
) -> None:
    cases = corpora("sse/parser-cases.json").read_text()
    page.goto(f"{server.url}/chat/?new=1")
    wrong = page.evaluate(
        """async (cases) => {
          const { EventParser } = await import("/chat/static/sse.js");
          const byte = (hex) => parseInt(hex, 16);
          const bytes = (hex) => new Uint8Array((hex.match(/../g) ?? []).map(byte));
          const wrong = [];
          for (const { name, chunks_hex, expected } of JSON.parse(cases)) {
            const parser = new EventParser(), decoder = new TextDecoder();
            const text = (hex) => decoder.decode(bytes(hex), { stream: true });
            const seen = chunks_hex.flatMap((hex) => parser.feed(text(hex)));
            const got = seen.map(({ type, data, id }) => ({ type, data, id }));
            const want = expected.map(({ type, data, id }) => ({ type, data, id }));
            if (JSON.stringify(got) !== JSON.stringify(want)) wrong.push([name, got, want]);
          }
          return wrong;
        }""",
        cases,
    )

    assert wrong == []


def test_earlier_messages_come_in_above_without_moving_the_reader(
    page: Page, server: Server, stub: Stub
) -> None:
    stub.csp = "default-src 'self'"
    conversation = stub.conversation()
    conversation.has_older = True
    for number in range(40):
        conversation.add("user", f"Question {number}")
    go(page, server, conversation)
    page.wait_for_function("() => window.htmx")
    expect(page.get_by_text("Question 39")).to_be_in_viewport()
    page.evaluate("() => { document.querySelector('.cs-log').scrollTop = 0 }")
    first = page.get_by_text("Question 0", exact=True)
    expect(first).to_be_in_viewport()
    before = first.bounding_box()
    page.get_by_text("Show earlier messages").click()

    expect(page.get_by_text("An earlier question")).to_be_attached()
    after = first.bounding_box()
    assert before and after and abs(after["y"] - before["y"]) < 60
