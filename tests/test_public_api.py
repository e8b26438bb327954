"""``flask_chatstream.__all__`` is the public API: sorted, complete, documented."""

from __future__ import annotations

import inspect
from types import ModuleType

import flask_chatstream


def _public_names() -> set[str]:
    return {
        name
        for name, value in vars(flask_chatstream).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    } - {"annotations"}


def test_all_is_sorted():
    assert list(flask_chatstream.__all__) == sorted(set(flask_chatstream.__all__))


def test_all_is_complete():
    assert _public_names() <= set(flask_chatstream.__all__)


def test_every_name_is_there():
    missing = [name for name in flask_chatstream.__all__ if not hasattr(flask_chatstream, name)]

    assert missing == []


def test_the_contract_is_public():
    contract = {
        "ChatStream",
        "Conversation",
        "Generation",
        "Message",
        "chatstream",
        "conversation_created",
        "generation_failed",
        "generation_finished",
        "generation_started",
        "message_created",
        "reaction_changed",
    }

    assert contract <= set(flask_chatstream.__all__)


def test_every_class_and_function_has_a_docstring():
    bare = [
        name
        for name in flask_chatstream.__all__
        if callable(value := getattr(flask_chatstream, name))
        and not inspect.getdoc(value if inspect.isroutine(value) else type(value))
    ]

    assert bare == []
