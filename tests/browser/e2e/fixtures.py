"""The site, the model and the visitors of the end-to-end tests.

Every browser watches: a violation of the site's policy or an error that no script catches fails the
test that saw it. A test that fails leaves its screens in ``test-results/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, WebError, expect

from tests.services import ROOT

from .model import Model
from .person import Tab, Visit
from .proxy import Proxy
from .site import Site, serving

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note a failure for the fixtures that are closed after it."""

    outcome: Any = yield
    report = outcome.get_result()

    if report.when == "call" and report.failed:
        item.stash[FAILED] = True


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    """The model server."""

    with Model() as model:
        yield model


@pytest.fixture(scope="session")
def site(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site that all tests share; each visitor has conversations of their own."""

    with serving(tmp_path_factory.mktemp("site"), model.base_url) as site:
        yield site


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """A network to the site that can fail."""

    with Proxy(site.port) as proxy:
        yield proxy


@pytest.fixture
def complaints() -> list[str]:
    """What the browsers have complained about."""

    return []


@pytest.fixture
def visit(
    browser: Browser, site: Site, complaints: list[str], request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """Makes visitors, each a browser with a profile of its own; takes Playwright's options."""

    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"base_url": site.url, **options})
        context.set_default_timeout(20_000)
        _watch(context, complaints)
        contexts.append(context)

        return context

    expect.set_options(timeout=20_000)
    yield make

    if request.node.stash.get(FAILED, False):
        _keep_screens(contexts, request.node.name)

    for context in contexts:
        context.close()

    assert complaints == []


@pytest.fixture
def visitor(visit: Visit) -> BrowserContext:
    """One visitor."""

    return visit()


@pytest.fixture
def tab(visitor: BrowserContext) -> Tab:
    """The visitor's first tab."""

    return Tab(visitor.new_page())


def _watch(context: BrowserContext, complaints: list[str]) -> None:
    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    def failed(error: WebError) -> None:
        complaints.append(str(error.error))

    context.on("console", heard)
    context.on("weberror", failed)


def _keep_screens(contexts: list[BrowserContext], test: str) -> None:
    folder = ROOT / "test-results"
    folder.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", test)
    pages = [page for context in contexts for page in context.pages]

    for number, page in enumerate(pages):
        page.screenshot(path=folder / f"{name}-{number}.png")
