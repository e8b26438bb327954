"""The app's settings: its secret key, and who answers in each chat. Asks no provider anything."""

from __future__ import annotations

from collections.abc import Iterator

from flask_chatstream.providers.routing import Routing

from .finding import Finding, failure, ok, warning

#: Fewer bytes of a key can be guessed.
LEAST_KEY = 16


def check_secret_key(key: str | bytes | None) -> Iterator[Finding]:
    """Whether the anonymous cookie is signed with a key that all workers have."""

    if not key:
        yield warning(
            "SECRET_KEY is not set: the anonymous cookie is signed with a key in the instance "
            "folder, which other machines do not have.",
            "Set SECRET_KEY, the same for all workers: python -c 'import secrets; "
            "print(secrets.token_hex())'",
        )
    elif len(key) < LEAST_KEY:
        yield warning(
            "SECRET_KEY is short enough to be guessed, and with it anybody's cookie.",
            "Set a long one: python -c 'import secrets; print(secrets.token_hex())'",
        )
    else:
        yield ok("SECRET_KEY is set.")


def check_provider(mount: str, routing: Routing) -> Iterator[Finding]:
    """Who answers in a chat, and whether what that needs is set."""

    choice = routing.choose()
    gap = routing.find_gap()

    if gap is not None:
        yield failure(
            f"The chat {mount!r} cannot answer: {gap}",
            "Set it for the workers and for this command, in the environment or in app.config.",
        )
    elif choice.provider == "demo":
        yield warning(
            f"The chat {mount!r} is answered by the demo, which tells visitors that it is one.",
            "Set OPENAI_API_KEY, or CHATSTREAM_PROVIDER and what it needs.",
        )
    else:
        yield ok(f"The chat {mount!r} asks {choice.provider} for {choice.model}.")
