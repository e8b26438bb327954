"""A host that is built: its app, its database, its browser, and the chat in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urljoin

from flask import Flask, current_app, url_for
from flask.testing import FlaskClient
from sqlalchemy import Engine, inspect
from werkzeug.test import TestResponse

from flask_chatstream import ChatStream
from flask_chatstream.models import Message
from flask_chatstream.providers.scripted import ScriptedProvider
from flask_chatstream.state import State, get_state
from tests.hosts.deployment import Deployment, load
from tests.hosts.matrix import HostKind
from tests.waiting import wait_for


@dataclass(frozen=True)
class Site:
    """One of `matrix.HOSTS`, built with the chat or without it."""

    kind: HostKind
    deployment: Deployment
    module: ModuleType
    app: Flask
    provider: ScriptedProvider

    @property
    def state(self) -> State:
        """The chat's state."""

        state: State = self.app.extensions["chatstream"]

        return state

    def context(self) -> AbstractContextManager[object]:
        """An app context; the site's own where it has pushed one for good."""

        is_pushed = current_app and current_app == self.app

        return nullcontext() if is_pushed else self.app.app_context()

    @property
    def db(self) -> Any:
        """What the site calls ``db``."""

        return self.app.extensions["sqlalchemy"]

    @property
    def engine(self) -> Engine:
        """The site's engine on the database of the deployment."""

        with self.context():
            engines = list(self.db.engines.values())

        urls = [engine.url.render_as_string(hide_password=False) for engine in engines]

        return engines[urls.index(self.deployment.url)]

    @property
    def home(self) -> Engine:
        """The engine that the chat really uses."""

        with self.context():
            return get_state().database.engine

    def make_row(self) -> Any:
        """A new row of the site's, not yet in a session."""

        return self.module.make_row()

    def store_row(self) -> None:
        """What the site's own editor would do."""

        with self.context():
            self.db.session.add(self.make_row())
            self.db.session.commit()

    def count_rows(self) -> int:
        """How many of those rows are stored."""

        with self.context():
            return int(self.db.session.query(type(self.make_row())).count())

    def create_tables(self) -> None:
        """Make the site's tables as the site does."""

        with self.context():
            getattr(self.module, "create_tables", self._create_all)()

    def _create_all(self) -> None:
        if self.kind.has_rows:
            self.db.create_all()

    def drop_tables(self) -> None:
        """Drop the site's tables as its tests would."""

        with self.context():
            self.db.session.rollback()
            getattr(self.module, "drop_tables", self._drop_all)()

    def _drop_all(self) -> None:
        self.db.drop_all()

    def install(self) -> None:
        """Bring the site to life: its tables, then the command that our documents name."""

        self.create_tables()

        if self.deployment.chat is not None:
            self.run("chatstream", "db", "upgrade")

    def run(self, *arguments: str) -> str:
        """The output of ``flask`` with these arguments."""

        result = self.app.test_cli_runner().invoke(args=arguments)
        assert result.exit_code == 0, (arguments, result.output, result.exception)

        return result.output

    def url(self, endpoint: str, **values: str) -> str:
        """The path of one of the chat's endpoints, wherever the site has put it."""

        with self.app.test_request_context(self.kind.pages[0]):
            return url_for(f"{self.kind.blueprints[0]}.{endpoint}", **values)

    def client(self) -> FlaskClient:
        """A browser, signed in where the site asks for it."""

        make = getattr(self.module, "make_client", Flask.test_client)
        client: FlaskClient = make(self.app)

        return client

    def headers(self, client: FlaskClient) -> dict[str, str]:
        """What the site wants with a form of the browser's."""

        find = getattr(self.module, "headers", lambda client: {})
        found: dict[str, str] = find(client)

        return found

    def post(self, client: FlaskClient, url: str, **fields: str) -> TestResponse:
        """Send a form as a page of the site would."""

        return client.post(url, data=fields, headers=self.headers(client))

    def ask(self, client: FlaskClient, content: str) -> str:
        """Ask in a new conversation; its page."""

        response = self.post(client, self.url("start"), content=content)
        assert response.status_code == 303, response.get_data(as_text=True)

        return urljoin(self.url("start"), response.headers["Location"].partition("#")[0])

    def messages(self) -> list[Message]:
        """Every stored message, oldest first."""

        with self.context():
            database = get_state().database

        with database.read() as session:
            return list(session.query(Message).order_by(Message.created_at, Message.depth))

    def wait_end(self) -> Message:
        """Wait until the newest answer has ended; the message."""

        wait_for(lambda: self.messages()[-1].status != "generating", timeout=30)

        return self.messages()[-1]


@contextmanager
def open_site(kind: HostKind, folder: Path, url: str, *, chat: bool = True) -> Iterator[Site]:
    """Import and build a host anew, and let go of what it holds afterwards."""

    provider = ScriptedProvider()
    deployment = Deployment(folder, url, ChatStream(provider=provider) if chat else None)
    module = load(kind.name, deployment)
    app = module.app if hasattr(module, "app") else module.create_app(deployment)
    site = Site(kind, deployment, module, app, provider)

    try:
        yield site
    finally:
        _close(site)


def _close(site: Site) -> None:
    if hasattr(site.module, "context"):
        site.module.context.pop()

    for app in (site.app, *getattr(site.module, "neighbours", [])):
        if "chatstream" in app.extensions:
            app.extensions["chatstream"].close()

        if "sqlalchemy" in app.extensions:
            _dispose(app)


def _dispose(app: Flask) -> None:
    with app.app_context():
        for engine in app.extensions["sqlalchemy"].engines.values():
            engine.dispose()


def tables(engine: Engine) -> set[str]:
    """The tables in the default schema of a database."""

    return set(inspect(engine).get_table_names())
