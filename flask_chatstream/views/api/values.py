"""Conversations and messages as JSON; names and meanings are in ``docs/http-api.md``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import url_for

from flask_chatstream.conversations import Asked, Reading
from flask_chatstream.errors import PROVIDER_CODES
from flask_chatstream.models import Conversation, Message


def moment(value: datetime | None) -> str | None:
    """A moment as RFC 3339 in UTC with microseconds."""

    return None if value is None else value.isoformat(timespec="microseconds")


def conversation_value(conversation: Conversation) -> dict[str, Any]:
    """A conversation without its messages."""

    return {
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model,
        "context_window": conversation.context_window,
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "message_count": conversation.message_count,
        "total_tokens": conversation.total_tokens,
        "active_leaf": conversation.active_leaf,
        "metadata": conversation.details,
        "last_message_at": moment(conversation.last_message_at),
        "created_at": moment(conversation.created_at),
        "updated_at": moment(conversation.updated_at),
    }


def message_value(reading: Reading) -> dict[str, Any]:
    """A message with its whole committed text."""

    message = reading.message

    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": reading.text,
        "status": message.status,
        "is_streaming": message.status == "generating",
        "error": _error(message),
        "finish_reason": message.finish_reason,
        "model": message.model,
        "input_tokens": message.input_tokens,
        "output_tokens": message.output_tokens,
        "metadata": message.details,
        "created_at": moment(message.created_at),
        "last_updated": moment(last_updated(reading)),
    }


def _error(message: Message) -> dict[str, str] | None:
    is_told = message.status == "error" or message.error_code is not None

    return error_value(message.error_code) if is_told else None


def last_updated(reading: Reading) -> datetime:
    """When the message last changed: for a running one, when its last group was committed."""

    at = reading.tail.at if reading.tail is not None else None

    return max(reading.message.updated_at, at) if at else reading.message.updated_at


def error_value(code: str | None) -> dict[str, str]:
    """A failed answer's public code, and words for a person."""

    code = code or "internal"

    return {"code": code, "message": PROVIDER_CODES.get(code, PROVIDER_CODES["internal"])}


def asked_value(asked: Asked) -> dict[str, Any]:
    """What was stored by a submit, and where its answer can be followed."""

    return {
        "conversation_id": asked.conversation_id,
        "user_message_id": asked.user_message_id,
        "message_id": asked.message_id,
        "generation_id": asked.generation_id,
        "status": asked.status,
        "stream_url": url_for(".api_stream", conversation_id=asked.conversation_id),
    }
