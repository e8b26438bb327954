"""Where answers come from.

`base` says what a provider is; `openai_chat` speaks to every OpenAI-shaped server through the
openai SDK, `demo` answers offline, `scripted` answers what a test tells it to. Each is imported by
its own name, so that an SDK is loaded only where its provider is made.
"""

from .base import (
    Cancellation,
    Cancelled,
    ChatMessage,
    ChatRequest,
    Provider,
    Registration,
    Timeouts,
    turns_for_rest,
)

__all__ = [
    "Cancellation",
    "Cancelled",
    "ChatMessage",
    "ChatRequest",
    "Provider",
    "Registration",
    "Timeouts",
    "turns_for_rest",
]
