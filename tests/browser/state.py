"""What the stub server holds: conversations, and what it is to answer next."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Response, abort, url_for
from markupsafe import Markup

from flask_chatstream.catalogues import find_catalogue
from flask_chatstream.views.languages import Language
from flask_chatstream.views.words import translated_words

CSP = "default-src 'self'; require-trusted-types-for 'script'; trusted-types chatstream"
SUGGESTIONS = ["What can you do?", "Where is my order?", "Write a reminder", "Explain refunds"]


@dataclass
class Message:
    role: str
    conversation_id: str
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    status: str = "completed"
    error_text: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    created_label: str = "now"
    error_code: str | None = None

    @property
    def running(self) -> bool:
        return self.status == "generating"

    @property
    def actions(self) -> set[str]:
        if self.role == "user":
            return set()

        return {"stop"} if self.running else {"copy", "retry"}

    def show(self, *html: str, final: bool = True) -> Message:
        self.blocks = [{"n": n, "html": Markup(h), "final": final} for n, h in enumerate(html)]

        return self


@dataclass
class Conversation:
    id: str | None = None
    title: str = ""
    messages: list[Message] = field(default_factory=list)
    version: int = 0
    has_older: bool = False
    updated_label: str = "now"
    active: bool = False

    @property
    def running(self) -> bool:
        return any(message.running for message in self.messages)

    @property
    def cursor(self) -> str:
        return str(self.version)

    @property
    def oldest_id(self) -> str | None:
        return self.messages[0].id if self.messages else None

    def add(self, role: str, text: str = "", **values: Any) -> Message:
        assert self.id
        message = Message(role, self.id, text, **values)
        self.messages.append(message)
        self.version += 1

        return message


Play = Callable[[], Response]


class Stub:
    """State of the stub: conversations, what was asked of it, and what to answer next."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.requests: list[Any] = []
        #: When each request for events came, in seconds of the monotonic clock.
        self.event_times: list[float] = []
        self.plays: list[Play] = []
        self.refusals: list[tuple[int, str, str, int]] = []
        self.answers: Callable[[Conversation, Message], None] | None = None
        self.before_asking: Callable[[], None] = lambda: None
        self.csp: str | None = CSP
        self.htmx = "vendor/htmx-4.0.1.min.js"
        self.host_script = ""
        self.csrf_token = ""
        self.theme: str | None = None
        self.language = Language(find_catalogue(["en"]))
        self.demo = True
        self.chosen: dict[str, Any] = {}

    def conversation(self, title: str = "Do you keep my answer?") -> Conversation:
        made = Conversation(uuid.uuid4().hex, title)
        assert made.id
        self.conversations[made.id] = made

        return made

    def get(self, conversation_id: str) -> Conversation:
        return self.conversations.get(conversation_id) or abort(404)

    def message(self, message_id: str) -> tuple[Conversation, Message]:
        for conversation in self.conversations.values():
            for message in conversation.messages:
                if message.id == message_id:
                    return conversation, message

        abort(404)

    def chat(self, view: str = "page", **values: Any) -> dict[str, Any]:
        names = {"css": "chatstream.css", "highlight": "chatstream-highlight.css"}
        names |= {"js": "chatstream.js", "loader": "loader.js", "htmx": self.htmx}

        return {
            "mount": "chatstream",
            "title": "Help desk",
            "view": view,
            "csrf_token": self.csrf_token,
            "csrf_header": "X-CSRFToken",
            "csrf_field": "csrf_token",
            "assets": {n: url_for("chatstream.static", filename=f) for n, f in names.items()},
            "provider_is_demo": self.demo,
            "base_template": "chatstream/base.html",
            "suggestions": SUGGESTIONS,
            "max_message_chars": 2_000,
            "form_key": uuid.uuid4().hex,
            "theme": self.theme,
            "lang": self.language.tag,
            "dir": self.language.catalogue.direction,
            "words": dict(translated_words(self.language.catalogue)),
            **values,
        }
