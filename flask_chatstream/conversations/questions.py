"""What may be asked, by whom and under which key: checked before anything is stored."""

from __future__ import annotations

from flask_chatstream.cleaning import clean
from flask_chatstream.errors import N_, InvalidRequest

KEY_CHARS = 64


def check_question(text: object, limit: int) -> str:
    """A question's text, cleaned; raises `InvalidRequest` in words for a person.

    ``limit`` is the most code points.
    """

    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(N_("Please write something first."), code="empty_message")

    cleaned = clean(text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n")

    if len(cleaned) > limit:
        raise InvalidRequest(
            N_("The message is too long: %(length)s characters of %(limit)s."),
            code="message_too_long",
            length=len(cleaned),
            limit=limit,
        )

    return cleaned


def check_key(key: str | None) -> str | None:
    """An idempotency key of up to 64 visible ASCII characters, or None.

    Raises `InvalidRequest`.
    """

    if not key:
        return None

    if len(key) > KEY_CHARS or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"The idempotency key must be at most {KEY_CHARS} visible ASCII characters.",
            code="invalid_key",
        )

    return key


def check_name(what: str, name: str, limit: int) -> str:
    """An owner, a title, a model's name as the database can keep it; raises `InvalidRequest`."""

    if not isinstance(name, str) or not name or len(name) > limit or "\0" in name:
        raise InvalidRequest(f"{what} is a string of 1 to {limit} characters.")

    return name
