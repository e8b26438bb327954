"""Deleting a conversation in mid-answer or after (``docs/states.md``, 3.10)."""

from __future__ import annotations

from flask_chatstream.conversations import delete_conversation

from .runtime import Runtime


def remove(runtime: Runtime, owner: str, mount: str, conversation_id: str) -> None:
    """Delete an owner's conversation with all that hangs on it, and stop what is written in it.

    Raises `NotFound` and `StorageUnavailable`, with nothing deleted.
    """

    active = runtime.database.write(delete_conversation, owner, mount, conversation_id)
    runtime.deleted(conversation_id, active)
