"""A person in a tab: what they do, what they see, and what the server has stored of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, Response, expect

Visit = Callable[..., BrowserContext]
LIVE = ".cs-conversation.cs-live"
ADDRESS = re.compile(r"/c/([0-9a-f]{32})$")

#: The log without what may differ between two loads: tokens, and white space between elements.
_NORMAL = """(log) => {
  const copy = log.cloneNode(true);
  for (const field of copy.querySelectorAll(".cs-csrf")) field.remove();
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  const empty = [];
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (!data.trim() && !parentElement.closest(".cs-content")) empty.push(walker.currentNode);
  }
  for (const node of empty) node.remove();
  return copy.outerHTML;
}"""


class Tab:
    """One tab with the chat in it."""

    def __init__(self, page: Page):
        self.page = page

    def open(self, path: str = "/chat/?new=1") -> Tab:
        """Go to a page of the chat, and wait until its script runs."""

        self.page.goto(path, wait_until="domcontentloaded")

        return self.wait_ready()

    def wait_ready(self) -> Tab:
        """Wait until the script runs and htmx is there for it."""

        self.page.wait_for_function(f"() => window.htmx && document.querySelector('{LIVE}')")

        return self

    def reload(self) -> Response:
        """Refresh; the page as the server gave it, before any script has changed it."""

        response = self.page.reload(wait_until="domcontentloaded")
        assert response is not None

        return response

    def another(self) -> Tab:
        """Another tab of the same browser."""

        return Tab(self.page.context.new_page())

    @property
    def field(self) -> Locator:
        """Where one types."""

        return self.page.locator("textarea[name=content]")

    def ask(self, question: str) -> Tab:
        """Type and press Enter."""

        self.field.fill(question)
        self.field.press("Enter")

        return self

    @property
    def messages(self) -> Locator:
        """All that is in the log, but for what is on its way."""

        return self.page.locator(".cs-message:not(.cs-pending)")

    @property
    def answer(self) -> Locator:
        """The last answer."""

        return self.page.locator('.cs-message[data-role="assistant"]:not(.cs-pending)').last

    @property
    def body(self) -> Locator:
        """The text of the last answer."""

        return self.answer.locator(".cs-content")

    @property
    def words(self) -> list[str]:
        """The words of the last answer as far as they are shown."""

        return (self.body.text_content() or "").split()

    def see(self, text: str) -> Tab:
        """Wait until the last answer has a text."""

        expect(self.body).to_contain_text(text)

        return self

    def see_end(self, status: str = "completed", timeout: float = 15_000) -> Tab:
        """Wait until the last answer has ended so."""

        expect(self.answer).to_have_attribute("data-status", status, timeout=timeout)

        return self

    def act(self, name: str) -> None:
        """Press a button of the last answer."""

        self.answer.locator(f'[data-action="{name}"]').click()

    def stop(self) -> None:
        """Stop the answer that is being written, by the composer's button."""

        self.page.get_by_role("button", name="Stop answering").click()

    @property
    def state(self) -> str | None:
        """How the page follows: live, polling, idle …"""

        return self.page.locator(LIVE).get_attribute("data-conn")

    def see_state(self, state: str, timeout: float = 15_000) -> Tab:
        """Wait until the page follows in a way."""

        expect(self.page.locator(LIVE)).to_have_attribute("data-conn", state, timeout=timeout)

        return self

    @property
    def dom(self) -> list[str]:
        """The log's tags and texts, comparable between a live page and a fresh one."""

        return re.split("(?<=>)(?=<)", self.page.locator(".cs-log").evaluate(_NORMAL))

    @property
    def conversation(self) -> str:
        """The id of the conversation that is shown."""

        return self.page.locator("chat-stream").get_attribute("data-conversation") or ""

    def stored(self, conversation: str = "") -> list[dict[str, Any]]:
        """The messages as the API gives them."""

        id = conversation or self.conversation
        response = self.page.request.get(f"/chat/api/v1/conversations/{id}/messages?limit=200")
        assert response.ok, response.text()
        messages: list[dict[str, Any]] = response.json()["messages"]

        return messages

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """A POST to the API as this person, with the token of the page that is open."""

        token = self.page.locator(".cs-root").first.get_attribute("data-csrf-token") or ""
        response = self.page.request.post(
            f"/chat/api/v1{path}", data=body, headers={"X-CSRFToken": token}
        )
        assert response.ok, response.text()
        value: dict[str, Any] = response.json()

        return value

    def check_whole(self, status: str = "completed") -> None:
        """The last answer is on the screen as it is stored: every word, once."""

        last = self.stored()[-1]
        assert last["status"] == status
        assert self.words == last["content"].split()
