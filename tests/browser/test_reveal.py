"""Text that came at once is shown at an even pace, and never later than it may be."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .looking import LIVE, go
from .plays import END, Gate, block, event, status, stream
from .stub import Conversation, Message, Server, Stub

#: With characters of two halves, an element that comes anew, and one that is read as a whole.
WORDS = "🙂" * 40 + " and words " * 9
FIRST = f"<p>One {WORDS}<strong>bold {WORDS}</strong><math><mi>x</mi></math></p>"

#: Lengths of the answer's text as it is drawn, with the time since the first that was new.
WATCH = """(id) => {
  const body = document.getElementById(id);
  window.seen = [];
  new MutationObserver(() => {
    const text = body.textContent;
    window.seen.push([performance.now(), text.length, text.isWellFormed()]);
  }).observe(body, { childList: true, subtree: true, characterData: true });
}"""


def watch(page: Page, answer: Message) -> None:
    page.evaluate(WATCH, f"cs-m{answer.id}-body")


def seen(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate("() => window.seen")

    return found


@pytest.fixture
def gates() -> tuple[Gate, Gate]:
    return Gate(), Gate()


@pytest.fixture
def answer(
    page: Page,
    server: Server,
    stub: Stub,
    running: tuple[Conversation, Message],
    gates: tuple[Gate, Gate],
) -> Message:
    """An answer that is being watched; the gates let a batch through, then the end."""

    conversation, answer = running
    stub.plays.append(
        stream(
            gates[0],
            event(block(answer.id, 0, FIRST), "a"),
            gates[1],
            event(block(answer.id, 0, f"{FIRST}<p>{WORDS}</p>", final=True), "b"),
            event(status(answer.id, "completed"), "c"),
            END,
        )
    )
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    watch(page, answer)

    return answer


def whole(html: str) -> str:
    return re.sub("<.*?>", "", html)


def test_a_batch_is_shown_in_steps_within_a_quarter_of_a_second(
    page: Page, answer: Message, gates: tuple[Gate, Gate]
) -> None:
    gates[0].open()
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text(whole(FIRST))
    looks = seen(page)
    lengths = [length for _, length, _ in looks]

    assert len(set(lengths)) >= 3
    assert lengths == sorted(lengths)
    assert all(is_well_formed for _, _, is_well_formed in looks)


def test_the_end_waits_for_nothing(page: Page, answer: Message, gates: tuple[Gate, Gate]) -> None:
    gates[0].open()
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text(whole(FIRST))
    before = len(seen(page))
    gates[1].open()
    expect(page.locator(f'#cs-m{answer.id}[data-status="completed"]')).to_have_count(1)
    looks = seen(page)[before:]

    assert len({length for _, length, _ in looks}) == 1


def test_what_a_person_does_is_done_to_all_of_it(
    page: Page, answer: Message, gates: tuple[Gate, Gate]
) -> None:
    page.evaluate(
        """(id) => {
      const body = document.getElementById(id);
      new MutationObserver((_, observer) => {
        observer.disconnect();
        const key = new KeyboardEvent("keydown", { bubbles: true });
        document.querySelector("textarea").dispatchEvent(key);
        window.length = body.textContent.length;
      }).observe(body, { childList: true, subtree: true, characterData: true });
    }""",
        f"cs-m{answer.id}-body",
    )
    gates[0].open()
    page.wait_for_function("() => window.length")
    assert page.evaluate("() => window.length") == len(whole(FIRST).encode("utf-16-le")) // 2


def test_under_reduced_motion_it_is_there_at_once(
    page: Page, answer: Message, gates: tuple[Gate, Gate]
) -> None:
    page.emulate_media(reduced_motion="reduce")
    gates[0].open()
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text(whole(FIRST))
    assert len({length for _, length, _ in seen(page)}) == 1


def test_a_selection_stays(page: Page, answer: Message, gates: tuple[Gate, Gate]) -> None:
    page.evaluate(
        """(id) => {
          const text = document.getElementById(id).querySelector("p").firstChild;
          getSelection().setBaseAndExtent(text, 0, text, 3);
        }""",
        f"cs-m{answer.id}-body",
    )
    gates[0].open()
    expect(page.locator(f"#cs-m{answer.id}-body")).to_have_text(whole(FIRST))
    assert page.evaluate("() => getSelection().toString()") == "One"


def test_batches_that_come_together_are_shown_once(
    page: Page, server: Server, stub: Stub, running: tuple[Conversation, Message]
) -> None:
    """The second one's text began behind what was shown of the first, and was shown twice."""

    conversation, answer = running
    gate, last = Gate(), Gate()
    texts = ["<p>One two", "<p>One two three", "<p>One two three four</p><p>Five", "<p>One 2</p>"]
    batches = [event(block(answer.id, 0, html), str(n)) for n, html in enumerate(texts)]
    stub.plays.append(stream(gate, "".join(batches[:3]), last, "".join(batches[2:]), END))
    go(page, server, conversation)
    expect(page.locator(LIVE)).to_have_count(1)
    body = page.locator(f"#cs-m{answer.id}-body")
    gate.open()
    expect(body).to_have_text("One two three fourFive")
    last.open()
    expect(body).to_have_text("One 2")
