"""At home in any site: what every host of the matrix is promised, on each of its databases."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import render_template_string
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_chatstream import Message, migrate
from flask_chatstream.providers.scripted import Pause
from tests.engines import describe as database_description
from tests.hosts import HTML
from tests.hosts.description import describe, listeners
from tests.hosts.matrix import HostKind, rows
from tests.hosts.migrations import start_migrations
from tests.hosts.site import Site, open_site, tables
from tests.services import execute, fresh_postgres
from tests.waiting import wait_for

Open = Callable[..., Site]

#: To which the chat listens.
SIGNALS = {"appcontext-pushed", "request-started", "logged-in", "logged-out"}

every_host = pytest.mark.parametrize(("kind", "database"), rows())
every_host_once = pytest.mark.parametrize(("kind", "database"), rows(databases=1))
hosts_with_rows = pytest.mark.parametrize(("kind", "database"), rows(lambda kind: kind.has_rows))
hosts_with_migrations = pytest.mark.parametrize(
    ("kind", "database"), rows(lambda kind: kind.migrates)
)
hosts_with_our_tables = pytest.mark.parametrize(
    ("kind", "database"), rows(lambda kind: kind.home == "host" and kind.covers)
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A database on PostgreSQL; to empty it is quicker than to make one for every test."""

    with fresh_postgres() as url:
        yield url


@pytest.fixture
def url(database: str, request: pytest.FixtureRequest) -> str:
    """An empty database for the host."""

    if database == "memory":
        return "sqlite://"

    if database == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))

    found: str = request.getfixturevalue("server")
    execute(found, "DROP SCHEMA IF EXISTS public, ledger CASCADE", "CREATE SCHEMA public")

    return found


@pytest.fixture
def build(kind: HostKind, url: str, tmp_path: Path) -> Callable[..., AbstractContextManager[Site]]:
    """Builds the host, with the chat or without it."""

    return lambda **options: open_site(kind, tmp_path, url, **options)


@pytest.fixture
def site(build: Any) -> Iterator[Site]:
    """The host with the chat, its tables and ours in place."""

    with build() as site:
        site.install()

        yield site


@every_host_once
def test_registration_adds_only_what_is_ours(kind: HostKind, build: Any) -> None:
    descriptions = []

    for chat in (False, True):
        with build(chat=chat) as site:
            site.create_tables()
            site.client().get(site.kind.pages[0])
            descriptions.append(describe(site.app))

    before, after = descriptions
    assert _without_ours(after, kind) == _without_ours(before, kind)
    names = ("jinja globals", "extensions", "commands", "blueprints", "signals")
    new = {name: set(after[name]) - set(before[name]) for name in names}
    assert new["jinja globals"] == {"chatstream_widget", "chatstream_panel", "chatstream_assets"}
    assert new["extensions"] == new["commands"] == {"chatstream"}
    assert new["blueprints"] == set(kind.blueprints)
    assert {signal for signal, _ in new["signals"]} <= SIGNALS


def _without_ours(description: dict[str, Any], kind: HostKind) -> dict[str, Any]:
    """The description without what is named after the chat, or belongs to its blueprint alone."""

    ours = ("chatstream", "CHATSTREAM_", "flask_chatstream.", *kind.blueprints)

    def keep(key: Any) -> bool:
        name = key[-1 if len(key) == 2 else 0] if isinstance(key, tuple) else key

        return not str(name).startswith(ours)

    found = {}

    for name, value in description.items():
        if isinstance(value, dict):
            value = {key: inner for key, inner in value.items() if keep(key)}
        elif isinstance(value, set):
            value = {key for key in value if keep(key)}

        found[name] = value

    return found


@every_host_once
def test_the_sites_own_pages_are_the_same(build: Any) -> None:
    """Bytes and headers of pages and of answers to forms, with the two lines and without them."""

    seen = []

    for chat in (False, True):
        with build(chat=chat) as site:
            site.install()

            if site.kind.has_rows:
                site.store_row()

            seen.append(_own_pages(site))

            if site.kind.has_rows:
                site.drop_tables()

    assert seen[0] == seen[1]
    assert seen[0][0][0] == "200 OK"


FORM = "application/x-www-form-urlencoded"

#: As a page of another site would send a form; a site may want that.
ELSEWHERE = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}


def _own_pages(site: Site) -> list[tuple[str, list[tuple[str, str]], bytes]]:
    client = site.client()

    if site.deployment.chat is not None:  # somebody has chatted before
        site.ask(client, "Hello?")
        site.wait_end()
        client = site.client()

    pages = (*site.kind.pages, "/not/here")
    forms = [*site.kind.forms, *[(page, "a=1") for page in pages]]
    found = [client.open(page, method=m) for page in pages for m in ("GET", "HEAD", "OPTIONS")]
    found += [
        client.post(path, data=body, headers=headers, content_type=FORM)
        for path, body in forms
        for headers in ({}, ELSEWHERE)
    ]

    return [(response.status, _lasting_headers(response), response.data) for response in found]


def _lasting_headers(response: TestResponse) -> list[tuple[str, str]]:
    """Without times and signatures in cookies, and what a site makes anew for each response."""

    token = r"(session=)(?:\.|eyJfY3NyZl90b2tlbi)[^;]+|(_csrf_token=)[^;]+"
    fleeting = re.compile(rf"{token}|(session=[^.;]+)[^;]+|(; Expires=)[^;]+|(nonce-)[^']+")
    strip = partial(fleeting.sub, lambda found: next(filter(None, found.groups())))

    headers = response.headers.to_wsgi_list()
    times = {"Retry-After", "X-RateLimit-Reset"}

    return [(name, "" if name in times else strip(value)) for name, value in headers]


@pytest.mark.parametrize(("kind", "database"), rows(lambda kind: kind.has_rows, databases=1))
def test_the_sites_database_gets_no_listener(build: Any) -> None:
    with build(chat=False) as site:
        before = _listeners(site)

    with build() as site:
        site.install()
        site.ask(site.client(), "Hello?")
        site.wait_end()

        assert _listeners(site) == before


def _listeners(site: Site) -> dict[str, int]:
    with site.context():
        session = site.db.session

        return listeners(
            site.engine, getattr(session, "registry", lambda: session)(), site.make_row()
        )


@every_host
def test_a_page_a_question_and_a_stop(site: Site) -> None:
    client, pause = site.client(), Pause()
    page = client.get(site.url("index"), headers=HTML)
    assert page.status_code == 200
    assert "cs-root" in page.text

    site.provider.enqueue("From **this** site.")
    conversation = site.ask(client, "Where from?")
    assert site.wait_end().status == "completed"
    assert "From <strong>this</strong> site." in client.get(conversation, headers=HTML).text

    site.provider.enqueue("Half an ans", pause, "wer.")
    conversation = site.ask(client, "And now?")
    pause.wait_reached()
    wait_for(lambda: "Half an ans" in client.get(conversation, headers=HTML).text)
    stop = site.url("cancel", message_id=site.messages()[-1].id)
    assert site.post(client, stop).status_code in (200, 204, 303)
    assert (site.wait_end().status, site.messages()[-1].content) == ("cancelled", "Half an ans")


@every_host_once
def test_another_site_is_refused(site: Site) -> None:
    client = site.client()
    client.get(site.url("index"))
    headers = {**site.headers(client), "Sec-Fetch-Site": "cross-site"}
    response = client.post(site.url("start"), data={"content": "Pay!"}, headers=headers)

    assert response.status_code == 403
    assert site.messages() == []


@every_host_once
def test_a_page_of_the_sites_with_the_widget(site: Site) -> None:
    jinja = site.app.jinja_env
    start, end = jinja.variable_start_string, jinja.variable_end_string

    with site.app.test_request_context(site.kind.pages[0]):
        page = render_template_string(
            f"{start} chatstream_panel() {end}{start} chatstream_widget() {end}"
        )

    assert f'data-index-url="{site.url("index")}"' in page
    assert "<chat-widget" in page


@every_host
def test_our_rows_are_where_they_belong(site: Site) -> None:
    """A site that shares its database reads them with its own session."""

    assert site.home.url.render_as_string(hide_password=False) == _belonging(site)
    assert migrate.our_tables() <= tables(site.home)

    if site.kind.has_rows:
        assert (site.kind.home == "host") is (migrate.our_tables() <= tables(site.engine))

    if site.kind.home == "host":
        site.ask(site.client(), "Hello?")
        site.wait_end()

        with site.context():
            found = site.db.session.scalars(select(Message).order_by(Message.depth)).all()
            assert [message.role for message in found] == ["user", "assistant"]


def _belonging(site: Site) -> str:
    if site.kind.home == "host":
        return site.deployment.url

    if site.kind.home == "embedded":
        return f"sqlite:///{site.deployment.instance}/chatstream.sqlite3"

    (path,) = re.findall(r"chatstream-\w+/chatstream.sqlite3$", str(site.home.url))

    return f"sqlite:///{tempfile.gettempdir()}/{path}"


# Not where the site's own login writes and reads in that session.
@pytest.mark.parametrize(
    ("kind", "database"), rows(lambda kind: kind.has_rows and "login" not in kind.name)
)
def test_pending_rows_of_the_sites_stay_pending(site: Site) -> None:
    """Our commits are ours alone, even in the app context of the site's session."""

    with site.context():
        session, row = site.db.session, site.make_row()
        session.add(row)

        # A lock on a file would keep our own writes out, so there the row is not flushed.
        if site.engine.dialect.name == "postgresql" or site.kind.home != "host":
            session.flush()

        flushed = row not in session.new
        site.ask(site.client(), "Hello?")
        site.wait_end()

        assert row in session
        assert (row not in session.new) is flushed
        session.rollback()

    assert site.count_rows() == 0 or site.kind.name == "create_all_at_import"


@hosts_with_our_tables
def test_create_all_and_drop_all(build: Any) -> None:
    with build() as site:
        site.create_tables()
        assert migrate.our_tables() <= tables(site.home)
        migrate.check(site.home)
        before = database_description(site.home)

        site.ask(site.client(), "Hello?")
        site.wait_end()

    with build() as site:  # the next process
        site.drop_tables()
        assert not migrate.our_tables() & tables(site.home)

        site.create_tables()
        migrate.check(site.home)
        assert database_description(site.home) == before


@hosts_with_migrations
def test_the_sites_own_migrations(build: Any) -> None:
    """They see nothing of ours and all of the site's, whatever happens first."""

    with build() as site:
        own = start_migrations(site)
        first = own.propose()
        assert any("create_table" in line for line in first)
        assert not any("chatstream" in line for line in first)
        own.write()
        own.upgrade()
        heads = own.heads()
        theirs = tables(site.engine)
        site.run("chatstream", "db", "upgrade")

    with build() as site:  # the next process
        own = start_migrations(site)
        assert own.propose() == []
        assert own.heads() == heads
        assert len(heads) == 1
        assert migrate.our_tables() == tables(site.engine) - theirs

        with site.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE stray (id INTEGER)")

        (stray,) = own.propose()
        assert "op.drop_table('stray')" in stray

        own.downgrade()
        assert tables(site.engine) - theirs == migrate.our_tables() | {"stray"}
        migrate.check(site.home)

        own.upgrade()
        assert tables(site.engine) == theirs | migrate.our_tables() | {"stray"}
        site.run("chatstream", "db", "downgrade", "base", "--yes")
        site.run("chatstream", "db", "upgrade")
        assert own.heads() == heads
