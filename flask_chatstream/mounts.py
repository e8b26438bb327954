"""The chats that are registered in one app, and which provider answers in each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from .access import Authorizer, OwnerLoader
from .config import Settings
from .errors import ConfigurationError
from .providers.routing import Routing

logger = logging.getLogger(__name__)

#: Gives text for the system prompt of one question: ``hook(question, owner)``.
ContextHook = Callable[[str, str], str | None]


class Mount(Protocol):
    """What the app's state knows of a registered chat."""

    name: str
    title: str | None
    instructions: str | None
    owner_hook: OwnerLoader | None
    authorize_hook: Authorizer | None
    context_hooks: list[ContextHook]

    def routing(self, settings: Settings) -> Routing:
        """Which provider and model answer there, under an app's settings."""


def add_mount(mounts: dict[str, Mount], mount: Mount) -> None:
    """Register a chat; raises `ConfigurationError` when another one has its name."""

    if mounts.setdefault(mount.name, mount) is not mount:
        raise ConfigurationError(
            f"Two chats are named {mount.name!r}; give the second one a name of its own: "
            'ChatStream("support").'
        )


class Routings:
    """The routings of an app's chats, made when they are needed, with their providers."""

    def __init__(self, mounts: dict[str, Mount]):
        self._mounts = mounts
        self._made: dict[str, Routing] = {}
        self._lock = threading.Lock()

    def get(self, name: str, settings: Settings) -> Routing:
        """The routing of a chat."""

        with self._lock:
            if name not in self._made:
                self._made[name] = self._mounts[name].routing(settings)

            return self._made[name]

    def check(self, settings: Settings) -> None:
        """Say what keeps any chat from answering under settings that have just become known.

        A provider that does not exist is a mistake; raises `ConfigurationError`. A key may be
        missing where nobody chats, as on a machine that only migrates, and is logged.
        """

        self.forget()

        for name in self._mounts:
            routing = self.get(name, settings)
            routing.check()
            gap = routing.find_gap()

            if gap is not None:
                logger.error("The chat %r cannot answer: %s", name, gap)

    def forget(self) -> None:
        """Make all anew: with other settings, or in a forked child."""

        with self._lock:
            self._made = {}
