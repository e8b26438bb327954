"""What a server gives a site: a folder, a database, and whether it has the chat's two lines."""

from __future__ import annotations

import importlib.util
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from flask_chatstream import ChatStream


@dataclass(frozen=True)
class Deployment:
    """The surroundings of a site."""

    #: Its own, for the instance folder, files and migrations.
    folder: Path
    #: A fresh database.
    url: str
    #: To be registered as it is; None for a look at the site without the chat.
    chat: ChatStream | None = None

    @property
    def instance(self) -> str:
        """The instance folder."""

        return str(self.folder / "instance")

    @property
    def migrations(self) -> str:
        """The folder of the site's own migrations."""

        return str(self.folder / "migrations")


_deployed: ContextVar[Deployment] = ContextVar("deployed")


def deployed() -> Deployment:
    """The surroundings of the site that is being imported."""

    return _deployed.get()


def load(name: str, deployment: Deployment) -> ModuleType:
    """Import ``tests.hosts.<name>`` anew, as a process of its own would."""

    spec = importlib.util.find_spec(f"tests.hosts.{name}")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    token = _deployed.set(deployment)
    sys.modules[spec.name] = module  # where SQLAlchemy looks up what ``Mapped[...]`` names

    try:
        spec.loader.exec_module(module)
    finally:
        _deployed.reset(token)

    return module
