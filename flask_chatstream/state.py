"""What belongs to one app: its settings, its database and engine, and its mounts.

Registering a blueprint only stores a `State`. The host's extensions are looked up when the first
app context is pushed, because real hosts register blueprints before they call ``db.init_app``.
The database is touched by the first chat request, and a forked child starts over.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from flask import Flask, current_app
from sqlalchemy import Engine

from . import migrate
from .addresses import Addresses
from .announcer import Announcer
from .config import load_settings
from .errors import ConfigurationError
from .following import Displays
from .generation import Place, Runtime, add_task, check_runner
from .host import check_language, find_engine, find_metadatas, warn_of_open_session
from .lifecycle import Assignment
from .mounts import Mount, Routings
from .process import Process
from .providers import Provider
from .providers.routing import Routing
from .standing import Standing
from .storage import Database
from .wake import find_bus


class State:
    """One app's chat; found as ``app.extensions["chatstream"]``.

    ``on_bind`` is called with the app and the state when the host is known, whatever is wrong.
    """

    def __init__(self, app: Flask, on_bind: Callable[[Flask, State], None]):
        self._app = weakref.ref(app)
        self.announcer = Announcer(self._app)
        self._on_bind = on_bind
        self.addresses = Addresses()
        self._lock = threading.Lock()
        self.standing = Standing()
        self._engine: tuple[Engine, bool] | None = None
        self._process: Process | None = None
        #: Whether log-ins and log-outs of the site's users are heard of.
        self.follows_users = False
        #: The blueprint instances, and their registered names, by the instance's own name.
        self.mounts: dict[str, Mount] = {}
        self.names: dict[str, str] = {}
        self._routings = Routings(self.mounts)
        self.settings = load_settings(app.config)
        self._knows_task = self.settings.runner == "celery"
        #: Answers in place of every provider, while a test wants it.
        self.substitute: Provider | None = None

        if self._knows_task:
            add_task()

    @property
    def app(self) -> Flask:
        """The app itself, not a proxy."""

        app = self._app()

        if app is None:
            raise RuntimeError("The app of this chat is gone.")

        return app

    def bind(self) -> None:
        """Look at the host, once, inside its first app context.

        By then its settings are final, and its own providers are registered: what is wrong with
        them is said here and nowhere else, in the log and by `ConfigurationError`, as often as
        this is called. What is mended before the first request is taken up.
        """

        if self.standing.is_settled:
            migrate.hide_from_autogenerate()
        else:
            self.meet_host()

            with self._lock:
                if not self.standing.is_settled:
                    self._settle()

        self.standing.judge_process(self.app, self.settings.runner)
        self.standing.check()

    def _settle(self) -> None:
        self._on_bind(self.app, self)
        self.standing.settle(self._take_host)

    def _take_host(self) -> None:
        self.settings = load_settings(self.app.config)
        check_language(self.app, self.settings)
        self._routings.check(self.settings)
        self._engine = find_engine(self.app, self.settings)
        check_runner(self.settings, self._engine[0], knows_task=self._knows_task)
        find_bus(self.settings.wake, self.settings.redis_url, self._engine[0])

    def meet_host(self) -> None:
        """Take part in the host's migrations and ``create_all()``, as far as the host is known.

        A site that registers the chat inside an app context makes its tables there too.
        """

        migrate.hide_from_autogenerate()

        for bind, metadata in find_metadatas(self.app).items():
            migrate.cover_host_metadata(metadata, partial(_is_home, bind))

    @property
    def database(self) -> Database:
        """The database of this process."""

        return self._alive().database

    @property
    def runtime(self) -> Runtime:
        """The engine of this process."""

        return self._alive().runtime

    @property
    def displays(self) -> Displays:
        """The answers that are shown by this process."""

        return self._alive().displays

    @property
    def place(self) -> Place:
        """Where answers are written: those of a test's script where the script is."""

        process = self._alive()

        return process.place if self.substitute is None else process.here

    def _alive(self) -> Process:
        process = self._process

        if process is None or not process.is_here:
            with self._lock:
                process = self._process

                if process is None or not process.is_here:
                    process = self._process = self._start_over()

        return process

    def _start_over(self) -> Process:
        self.standing.check()

        if self._engine is None:
            raise RuntimeError("The chat is not bound yet: push an app context first.")

        engine, owned = self._engine

        if self._process is not None and not self._process.is_closed:  # the parent's
            engine.dispose(close=False)

        database = Database(
            engine,
            owned=owned,
            durability=self.settings.durability,
            window=self.settings.commit_window_ms / 1000,
            on_refusal=partial(warn_of_open_session, engine),
        )
        self._routings.forget()

        return Process(self.app, database, self.settings, self, self.announcer.ended)

    @property
    def image_hosts(self) -> frozenset[str]:
        """Hosts whose images may be shown."""

        return frozenset(self.settings.image_hosts or ())

    def ready(self) -> Runtime:
        """The engine with its tables in place, for a chat request.

        Raises `SchemaError` when they are missing and are not to be made by themselves.
        """

        process = self._alive()

        if not process.has_tables:
            migrate.ensure(process.database.engine, automatic=self._upgrades())
            process.has_tables = True

        process.runtime.upkeep.start()

        return process.runtime

    def _upgrades(self) -> bool:
        if self.settings.auto_upgrade is not None:
            return self.settings.auto_upgrade

        return self.database.owned or self.app.debug or self.app.testing

    def write(self, generation_id: int) -> None:
        """Write an answer in the calling thread, for a process that takes them from a queue.

        Raises `StorageUnavailable` and `ShuttingDown`, with nothing begun, `SchemaError` and
        `ConfigurationError`.
        """

        self.bind()
        runtime = self.ready()
        runtime.admit()
        runtime.work(self._alive().runner.run, generation_id)

    def get_provider(self, mount: str, name: str) -> Provider:
        """The provider of a name, as the mount knows it; raises `ProviderError`."""

        return self.substitute or self.routing(mount).get(name)

    def routing(self, mount: str) -> Routing:
        """The routing of a mount."""

        return self._routings.get(mount, self.settings)

    def instructions(self, assignment: Assignment, question: str) -> str | None:
        """The system prompt for a question: the site's, the mount's, the conversation's, and what
        the site's context hooks give for it."""

        mount = self.mounts[assignment.mount]
        parts = [self.settings.instructions, mount.instructions, assignment.instructions]

        with self.app.app_context():
            parts += [hook(question, assignment.owner) for hook in mount.context_hooks]

        return "\n\n".join(part for part in parts if part) or None

    def close(self) -> None:
        """Let go of connections and background work; the next request starts anew."""

        if self._process is not None and self._process.is_here:
            self._process.runtime.close()
            self._process.is_closed = True

        if self._engine is not None and self._engine[1]:
            self._engine[0].dispose()


def _is_home(bind: str | None) -> bool:
    """Whether the current app has a chat, and keeps it in its own database of this bind."""

    if not current_app or "chatstream" not in current_app.extensions:
        return False

    state = find_state()

    with suppress(ConfigurationError):
        state.bind()

    is_shared = state._engine is not None and not state._engine[1]

    return is_shared and state.settings.database_bind == bind


def find_state() -> State:
    """The state of the current app, whatever is wrong with it."""

    state: State = current_app.extensions["chatstream"]

    return state


def get_state() -> State:
    """The state of the current app; raises `ConfigurationError` when the chat is out of service."""

    state = find_state()
    state.bind()  # the context may have been pushed before the chat was registered

    return state
