"""What the templates are given: plain values, public like the templates themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from flask import url_for
from jinja2 import Template
from markupsafe import Markup

from flask_chatstream.access import csrf_names, csrf_token
from flask_chatstream.conversations import Reading, find_obstacle
from flask_chatstream.errors import PROVIDER_CODES, ConfigurationError
from flask_chatstream.models import Conversation, new_id
from flask_chatstream.state import State

from .languages import Language, get_language
from .words import translated_words

STATIC = Path(__file__).parents[1] / "static"


@dataclass(frozen=True, slots=True)
class ChatView:
    """The chat itself; ``view`` is ``page``, ``widget`` or ``panel``."""

    mount: str
    name: str
    title: str
    view: str
    csrf_token: str
    csrf_header: str
    csrf_field: str
    assets: Mapping[str, str]
    provider_is_demo: bool
    base_template: str | Template
    suggestions: Sequence[str]
    max_message_chars: int
    form_key: str
    lang: str = "en"
    dir: str = "ltr"
    theme: str | None = None
    words: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block of an answer: its number in the message, its safe HTML, whether it is finished."""

    n: int
    html: Markup
    final: bool


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as a template shows it; ``text`` is raw, ``blocks`` are of answers only."""

    id: str
    conversation_id: str
    role: str
    status: str
    text: str
    blocks: Sequence[BlockView]
    error_code: str | None
    error_text: str | None
    model: str | None
    created_at: datetime
    created_label: str
    actions: frozenset[str]

    @property
    def running(self) -> bool:
        """Whether the message is being written."""

        return self.status == "generating"


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation with the messages that are shown; ``id`` is None for one not begun."""

    id: str | None = None
    title: str = ""
    messages: Sequence[MessageView] = field(default_factory=tuple)
    cursor: str = ""
    running: bool = False
    has_older: bool = False
    oldest_id: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """A conversation in the list."""

    id: str
    title: str
    active: bool
    running: bool
    updated_at: datetime
    updated_label: str


def make_chat(state: State, mount: str, view: str) -> ChatView:
    """The chat as this request's page shows it."""

    name, language = state.names[mount], get_language()
    header, form_field = csrf_names()
    settings = state.settings
    is_demo = state.routing(mount).choose().provider == "demo"

    return ChatView(
        mount=mount,
        name=name,
        title=language.say(str(state.mounts[mount].title or settings.title)),
        view=view,
        csrf_token=csrf_token(),
        csrf_header=header,
        csrf_field=form_field,
        assets={
            key: url_for(f"{name}.static", filename=filename) for key, filename in _assets().items()
        },
        provider_is_demo=is_demo,
        base_template=settings.base_template,
        suggestions=settings.suggestions or (),
        max_message_chars=settings.max_message_chars,
        form_key=new_id(),
        lang=language.tag,
        dir=language.catalogue.direction,
        words=translated_words(language.catalogue) or None,
    )


@cache
def _assets() -> Mapping[str, str]:
    """File names below ``static``; the vendored script has its version in its name."""

    vendored = sorted(path.name for path in (STATIC / "vendor").glob("htmx-*.min.js"))

    if not vendored:
        raise ConfigurationError(
            "htmx is missing from flask_chatstream's static files; install the package again."
        )

    return {
        "css": "chatstream.css",
        "highlight": "chatstream-highlight.css",
        "js": "chatstream.js",
        "loader": "loader.js",
        "htmx": f"vendor/{vendored[-1]}",
    }


def make_message(
    reading: Reading, blocks: Sequence[BlockView], language: Language, *, leaf: bool
) -> MessageView:
    """A message as it is shown; ``leaf`` says that nothing follows it."""

    message = reading.message
    code = message.error_code

    return MessageView(
        id=message.id,
        conversation_id=message.conversation_id,
        role=message.role,
        status=message.status,
        text=reading.text,
        blocks=blocks,
        error_code=code,
        error_text=language.say(_why(code)) if code else None,
        model=message.model,
        created_at=message.created_at,
        created_label=language.moment(message.created_at),
        actions=_actions(reading, leaf),
    )


def _why(code: str) -> str:
    return PROVIDER_CODES.get(code, PROVIDER_CODES["internal"])


def _actions(reading: Reading, leaf: bool) -> frozenset[str]:
    message = reading.message

    if message.role != "assistant":
        return frozenset({"copy"})

    if message.status == "generating":
        return frozenset({"stop"})

    actions = {"copy"} if reading.text else set()

    if leaf:
        actions.add("retry")

    if leaf and find_obstacle(message) is None:
        actions.add("continue")

    return frozenset(actions)


def make_item(
    conversation: Conversation, language: Language, *, active: bool, running: bool
) -> ConversationItem:
    """A conversation as the list shows it."""

    return ConversationItem(
        id=conversation.id,
        title=conversation.title,
        active=active,
        running=running,
        updated_at=conversation.last_message_at,
        updated_label=language.moment(conversation.last_message_at),
    )
