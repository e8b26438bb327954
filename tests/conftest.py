"""Shared fixtures: what this machine offers, fresh databases, a fresh app, a browser."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.compiled import compile_once
from tests.engines import KINDS
from tests.services import ROOT, fresh_mariadb, fresh_postgres, missing, need

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: What would lead a test to a real provider or to somebody's own settings.
FOREIGN = ("CHATSTREAM_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_API_KEY", "FLASK_")
OURS = ("CHATSTREAM_REQUIRE_ALL", "CHATSTREAM_TEST_")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption(
        "--cells", default="", help="one cell (wal-gevent, ...) or all; the long faults"
    )
    group.addoption("--seed", type=int, help="the seed of a fault's own chances")


def pytest_configure() -> None:
    for name in list(os.environ):
        if name.startswith(FOREIGN) and not name.startswith(OURS):
            del os.environ[name]

    # Where bytecode is not kept, each process of a test compiles the package and the tests anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False

    # What a shell runs in its background is deaf to SIGINT, and so would be the servers of tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    # To read the machine's certificates takes 30 ms, for every client that a test makes.
    os.environ["SSL_CERT_FILE"] = str(ROOT / "tests" / "nobody.pem")
    compile_once()
    _compile_catalogues()


def _compile_catalogues() -> None:
    """As the build does it, which a change of a catalogue's would else have to wait for."""

    if find_spec("babel"):  # the oldest versions are tested with what the checkout has
        from flask_chatstream._build import compile_catalogues

        compile_catalogues()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names = set(getattr(item, "fixturenames", ()))

        if "browser" in names:
            item.add_marker("browser")

        if names & {"postgres_url", "mariadb_url"}:
            item.add_marker("db")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is marked ``every_database`` runs on MariaDB too: all would take minutes."""

    if "database_url" in metafunc.fixturenames:
        is_marked = metafunc.definition.get_closest_marker("every_database") is not None
        metafunc.parametrize("database_url", KINDS if is_marked else KINDS[:2], indirect=True)


@pytest.fixture(autouse=True)
def _no_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright's loop stays this thread's running one between its calls, and is hidden here.

    A host's asynchronous teardown (Flask-SQLAlchemy-Lite's) refuses to run below it.
    """

    loop = asyncio._get_running_loop()

    if loop is None or "browser" in request.fixturenames:
        yield
        return

    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """pytest-flask's fixture of this name, switched off.

    It keeps a context open around the test, and Flask then gives all requests of the test client
    that one ``g`` and session, which no server does.
    """


@pytest.fixture(scope="session")
def corpora() -> Callable[[str], Path]:
    """``corpora("sse/parser-cases.json")``: external test data, which is never in the package."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "corpora" / name

        return path if path.exists() else missing(f"corpora/{name}")

    return find


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""

    return f"sqlite:///{tmp_path / 'host.sqlite'}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A fresh database, dropped afterwards."""

    with fresh_postgres() as url:
        yield url


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """A fresh database, dropped afterwards."""

    with fresh_mariadb() as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database of each kind that every promise holds on."""

    url: str = request.getfixturevalue(f"{request.param}_url")

    return url


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A host with nothing but the blueprint: the embedded database, anonymous owners."""

    from flask_chatstream import chatstream

    app = Flask("host", instance_path=str(tmp_path / "instance"))
    app.config.update(TESTING=True, SECRET_KEY="for tests only")
    app.register_blueprint(chatstream)

    yield app

    app.extensions["chatstream"].close()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """Runs ``flask`` commands of the app."""

    return app.test_cli_runner()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this process."""

    from playwright.sync_api import expect, sync_playwright

    executable = need("chromium")
    expect.set_options(timeout=20_000)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )

        yield browser

        browser.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """A page with a profile of its own; an error that a script does not catch fails the test."""

    errors: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: errors.append(str(error)))

    yield page

    context.close()
    assert errors == []


@pytest.fixture(scope="session")
def axe() -> Path:
    """The script that checks a page's accessibility (``axe.run()`` in the page)."""

    return Path(need("axe"))
