"""The HTML of an answer that has ended: made once, stored once, whoever shows it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from flask_chatstream.conversations import Html, store_html
from flask_chatstream.rendering import RENDERER_VERSION, IncrementalMarkdown
from tests.hosts import Host, chat, open_host
from tests.test_views_events import TEXT, Script, by_poll, by_stream, cursor_of

pytest_plugins = ["tests.engine_fixtures"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


@pytest.fixture
def writes(host: Host) -> list[str]:
    """The statements that store HTML."""

    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("UPDATE chatstream_message SET html="):
            found.append(statement)

    event.listen(host.state.database.engine, "before_cursor_execute", note)

    return found


def blocks_of(text: str) -> list[str]:
    markdown = IncrementalMarkdown()
    markdown.feed(text)
    markdown.close()

    return [str(block) for block in markdown.sealed]


@pytest.mark.parametrize("follow", [by_stream, by_poll])
def test_an_answer_that_was_watched_to_its_end_is_stored_as_it_was_shown(
    host: Host, client: FlaskClient, follow: Callable[..., None], writes: list[str]
) -> None:
    """Its viewers had every block, and the next page rendered them all again."""

    script = Script(host, client)
    dom = script.page()
    follow(script, dom, cursor_of(dom), iter((1, 2)))
    assert script.page().messages() == dom.messages()
    stored = host.message(script.message)

    assert json.loads(stored.html or "null") == blocks_of(TEXT)
    assert stored.html_version == RENDERER_VERSION
    assert len(writes) == 1


def test_many_viewers_of_one_answer_store_it_once(
    host: Host, client: FlaskClient, writes: list[str]
) -> None:
    script = Script(host, client)
    pages = [script.page() for _ in range(5)]
    cursors = [cursor_of(page) for page in pages]
    follow = [
        threading.Thread(target=by_stream, args=(script, page, cursor, iter(())))
        for page, cursor in zip(pages, cursors, strict=True)
    ]

    for thread in follow:
        thread.start()

    for thread in follow:
        thread.join(30)

    assert len(writes) == 1
    assert [page.messages() for page in pages] == [script.page().messages()] * 5
    assert len(writes) == 1


def test_an_answer_that_nobody_watched_is_stored_by_its_first_page(
    host: Host, client: FlaskClient, writes: list[str]
) -> None:
    asked = chat(client)
    url = f"/chat/c/{asked['conversation_id']}"

    for _ in range(3):
        assert client.get(url).status_code == 200

    assert len(writes) == 1


def test_html_is_kept_for_the_version_it_was_made_of_and_once(worker) -> None:  # type: ignore[no-untyped-def]
    asked = worker.answer()
    message = worker.message(asked)
    html = Html(message.id, message.version, "[]")

    def store(html: Html, renderer: int = RENDERER_VERSION) -> int:
        stored: int = worker.database.write(store_html, [html], renderer)

        return stored

    assert store(html._replace(version=message.version - 1)) == 0
    assert store(html) == 1
    assert store(html) == 0
    assert store(html, RENDERER_VERSION + 1) == 1
    assert worker.message(asked).html_version == RENDERER_VERSION + 1


def test_no_html_is_kept_of_an_answer_that_is_being_written(worker) -> None:  # type: ignore[no-untyped-def]
    asked = worker.ask()
    message = worker.message(asked)
    html = Html(message.id, message.version, "[]")

    assert worker.database.write(store_html, [html], RENDERER_VERSION) == 0
