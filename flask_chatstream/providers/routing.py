"""Which provider and model answer: from the settings, the environment, or the site's own code."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask_chatstream.concurrency import run_native
from flask_chatstream.config import Settings
from flask_chatstream.errors import ConfigurationError, ProviderError

from .base import Provider, Timeouts
from .demo import Demo

DEFAULT_MODELS = {"openai": "gpt-4o-mini", "demo": "demo"}

#: A site's own providers by name.
Registered = Mapping[str, Provider | Callable[[], Provider]]


@dataclass(frozen=True, slots=True)
class Choice:
    """The names that are stored with a generation."""

    provider: str
    model: str


class Routing:
    """Chooses by name now, makes the provider when the first generation needs it."""

    def __init__(
        self, settings: Settings, registered: Registered, default: str | None, model: str | None
    ):
        self._settings = settings
        self._registered = registered
        self._default = default
        self._model = model
        self._made: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def choose(self, model: str | None = None) -> Choice:
        """The provider and model for a request; ``model`` is the request's wish."""

        provider = self._default or self._settings.provider or self._found()
        chosen = model or self._named_model() or DEFAULT_MODELS.get(provider)

        return Choice(provider, chosen or provider)

    def _found(self) -> str:
        return "openai" if self._openai_access()[0] else "demo"

    def check(self) -> None:
        """Raises `ConfigurationError` when the provider that is named does not exist."""

        name = self.choose().provider

        if name not in {"openai", "demo"} and name not in self._registered:
            known = ", ".join(sorted({"openai", "demo", *self._registered}))
            raise ConfigurationError(
                f"There is no provider {name!r}; known are {known}. A provider of the site's own "
                f"is registered with @chatstream.provider({name!r}) before the app's first context."
            )

    def find_gap(self) -> str | None:
        """What is missing for an answer, and what to set; None when nothing is known to be."""

        if self.choose().provider != "openai" or "openai" in self._registered:
            return None

        key, base_url = self._openai_access()

        if not key and not base_url:
            return (
                "there is no key. Set CHATSTREAM_OPENAI_API_KEY or OPENAI_API_KEY, or for a server "
                "without keys CHATSTREAM_OPENAI_BASE_URL."
            )

        if base_url and "api.openai.com" not in base_url and not self._named_model():
            return (
                f"no model is named. Set CHATSTREAM_MODEL to one that {base_url} has; "
                f"{DEFAULT_MODELS['openai']} is asked for until then."
            )

        return None

    def _named_model(self) -> str | None:
        return self._model or self._settings.model

    def _openai_access(self) -> tuple[str | None, str | None]:
        """The key and the address, each None where it is not set."""

        settings = self._settings
        key = settings.openai_api_key or os.environ.get("OPENAI_API_KEY")
        base_url = settings.openai_base_url or os.environ.get("OPENAI_BASE_URL")

        return key or None, base_url or None

    def get(self, name: str) -> Provider:
        """The provider of a name, made once per process.

        Raises `ProviderError` with code ``configuration`` when it cannot be made.
        """

        with self._lock:
            if name not in self._made:
                # Importing a vendor's SDK takes a second or two.
                self._made[name] = run_native(lambda: self._make(name))

            return self._made[name]

    def _make(self, name: str) -> Provider:
        if name in self._registered:
            found = self._registered[name]

            return cast(Provider, found if hasattr(found, "stream") else cast(Any, found)())

        if name == "demo":
            return Demo()

        if name == "openai":
            return self._make_openai()

        raise ProviderError("configuration", f"There is no provider {name!r}.")

    def _make_openai(self) -> Provider:
        from .openai_chat import OpenAIChat

        settings = self._settings
        key, base_url = self._openai_access()

        if not key and not base_url:
            raise ProviderError("configuration", "CHATSTREAM_OPENAI_API_KEY is not set.")

        timeouts = Timeouts(
            connect=settings.connect_timeout,
            first_token=settings.first_token_timeout,
            idle=settings.idle_timeout,
            total=settings.total_timeout,
        )

        return OpenAIChat(api_key=key or "none", base_url=base_url, timeouts=timeouts)
