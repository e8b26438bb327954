"""Behind a real nginx, with the configuration that the deployment guide gives."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
import trustme

from tests.faults.rig import free_port
from tests.nginx import Nginx, place, running, snippets
from tests.services import ROOT, need
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

#: A question names a file: the answer stands after its first words until there is such a file.
SITE = """
import os, pathlib
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from flask_chatstream import ChatStream
from flask_chatstream.events import Finished, TextDelta

folder = pathlib.Path(os.environ["FOLDER"])

class Gated:
    name = "gated"

    def stream(self, request, cancellation):
        yield TextDelta("First words. ")

        while not (folder / request.messages[-1].content).exists():
            cancellation.wait(0.02)
            cancellation.raise_if_cancelled()

        for number in range(200):
            yield TextDelta(f"word{number} ")

        yield Finished("stop")

app = Flask(__name__, instance_path=str(folder / "instance"))
app.config.update(SECRET_KEY="for tests only")
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_prefix=1)
app.register_blueprint(ChatStream(provider=Gated()))
"""
API = "/chat/api/v1"
FIRST = "First words. "
WHOLE = FIRST + "".join(f"word{number} " for number in range(200))
BARE, TLS, PREFIX = range(3)
IGNORED = "proxy_ignore_headers X-Accel-Buffering; proxy_buffering on; proxy_buffers 16 64k;"
GZIP = """
gzip on;
gzip_proxied any;
gzip_min_length 0;
gzip_types text/event-stream application/json;
"""


@dataclass(frozen=True)
class Site:
    """gunicorn with gevent workers, and the folder of the files that let answers go on."""

    folder: Path
    port: int

    def let_go(self, question: str) -> None:
        """Let the answer to a question be written to its end."""

        (self.folder / question).touch()


@dataclass(frozen=True)
class Asked:
    """A question that was asked through nginx."""

    client: httpx.Client
    question: str
    conversation: str
    message: str

    @property
    def stream(self) -> str:
        """The address of the answer's event stream."""

        return f"{API}/conversations/{self.conversation}/stream"

    def read(self) -> dict[str, Any]:
        """The answer as far as it is written."""

        value: dict[str, Any] = self.client.get(f"{API}/messages/{self.message}/content").json()

        return value

    def wait_begun(self) -> None:
        """Wait until the first words are stored."""

        wait_for(lambda: self.read()["content"] == FIRST, 10, 0.05)


Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, which every test of this module has a question of its own for."""

    need("nginx")
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    (folder / "site_behind_nginx.py").write_text(SITE)
    given = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "FOLDER": str(folder)}
    command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "--graceful-timeout", "1"]
    command += ["--bind", f"127.0.0.1:{port}", "site_behind_nginx:app"]

    with (folder / "log").open("w") as log:
        process = psutil.Popen(command, cwd=folder, env=given, stdout=log, stderr=subprocess.STDOUT)

    try:
        wait_for(lambda: _is_healthy(port), 30, 0.05)

        yield Site(folder, port)
    finally:
        for one in [*process.children(recursive=True), process]:
            one.kill()

        process.wait(10)


@pytest.fixture
def nginx() -> list[Nginx]:
    """The servers that this test has started."""

    return []


@pytest.fixture
def serve(site: Site, tmp_path: Path, nginx: list[Nginx]) -> Iterator[Serve]:
    """Starts an nginx with a configuration of the guide; gives a visitor of it."""

    open_now: list[Any] = []

    def serve(which: int = BARE, change: Callable[[str], str] = str, **more: Any) -> httpx.Client:
        port = free_port()
        text = change(place(snippets()[which], port, site.port, more.pop("certificate", None)))
        serving = running(tmp_path / f"nginx-{len(nginx)}", port, text)
        nginx.append(serving.__enter__())
        open_now.append(serving)
        scheme = "https" if which == TLS else "http"
        client = httpx.Client(base_url=f"{scheme}://localhost:{port}", timeout=15, **more)
        open_now.append(client)

        return client

    yield serve

    for thing in reversed(open_now):
        thing.__exit__(None, None, None)


def ask(client: httpx.Client, question: str) -> Asked:
    """Ask; the visitor is the anonymous owner of this client."""

    conversation = client.post(f"{API}/conversations", json={}).json()["id"]
    url = f"{API}/conversations/{conversation}/messages"
    body = {"content": question, "generate": True}
    asked = Asked(client, question, conversation, client.post(url, json=body).json()["message_id"])
    asked.wait_begun()

    return asked


def follow(asked: Asked, site: Site) -> str:
    """The answer by event stream; it goes on only when its first words have come out."""

    text = ""

    with asked.client.stream("GET", asked.stream) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")

        for event in _events(response):
            text += event.get("delta", "")

            if text == FIRST:
                assert asked.read()["status"] == "generating"
                site.let_go(asked.question)

    return text


def test_an_answer_streams_through_it_live(site: Site, serve: Serve) -> None:
    assert follow(ask(serve(), "live"), site) == WHOLE


def test_compression_does_not_hold_an_answer_back(site: Site, serve: Serve) -> None:
    client = serve(change=lambda text: GZIP + text)
    asked = ask(client, "gzip")

    assert client.get("/chat/").headers["Content-Encoding"] == "gzip"
    assert follow(asked, site) == WHOLE


def test_a_proxy_that_holds_streams_back_leaves_polling(site: Site, serve: Serve) -> None:
    asked = ask(serve(change=_ignore), "held")

    with pytest.raises(httpx.ReadTimeout):
        asked.client.get(asked.stream, timeout=1)

    url = f"{API}/conversations/{asked.conversation}/poll"
    polled = asked.client.get(url, params={"since": ""}).json()
    assert polled["messages"][-1]["content"] == FIRST

    site.let_go("held")
    wait_for(lambda: asked.read()["status"] == "completed", 10, 0.05)
    late = asked.client.get(url, params={"since": polled["now"]}).json()

    assert late["messages"][-1]["content"] == WHOLE


def test_the_page_shows_a_held_answer_while_it_is_written(
    site: Site, serve: Serve, browser_page: Page
) -> None:
    from playwright.sync_api import expect

    client = serve(change=_ignore)
    _send(browser_page, client, "held-page")

    expect(browser_page.get_by_text(FIRST.strip())).to_be_visible(timeout=20_000)
    site.let_go("held-page")
    expect(browser_page.get_by_text("word199")).to_be_visible(timeout=20_000)


def test_all_addresses_stand_below_the_prefix(site: Site, serve: Serve) -> None:
    client = serve(PREFIX, follow_redirects=True)
    page = client.get("/shop/chat/")
    found = re.findall(r'(?:href|src|action|data-[a-z-]*url|hx-(?:get|post))="(/[^"]*)"', page.text)

    assert page.status_code == 200
    assert len(found) > 5
    assert {url for url in found if not url.startswith("/shop/chat")} == set()

    for url in (url for url in found if url.endswith((".css", ".js"))):
        assert client.get(url).status_code == 200

    site.let_go("below-a-prefix")
    sent = client.post("/shop/chat/c", data={"content": "below-a-prefix"})
    assert (sent.status_code, sent.url.path[:13]) == (200, "/shop/chat/c/")


def test_a_site_behind_tls_knows_that_it_is(site: Site, serve: Serve, tmp_path: Path) -> None:
    certificate = tmp_path / "site.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", common_name="localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    client = serve(TLS, certificate=certificate, verify=context)
    origin = str(client.base_url).rstrip("/")
    made = client.post(f"{API}/conversations", json={}, headers={"Origin": origin})

    assert made.status_code == 201
    assert "secure" in made.headers["Set-Cookie"].lower()

    other = {"Origin": f"{origin}0"}
    assert client.post(f"{API}/conversations", json={}, headers=other).status_code == 403
    assert follow(ask(client, "tls"), site) == WHOLE


def test_the_longest_question_passes(site: Site, serve: Serve) -> None:
    """32,000 characters of four bytes, each of which a form sends as twelve."""

    sent = serve().post("/chat/c", data={"content": "\N{SPOUTING WHALE}" * 32_000})

    assert sent.status_code == 303


def test_a_question_that_nginx_refuses_is_kept_and_the_page_says_so(
    serve: Serve, browser_page: Page
) -> None:
    from playwright.sync_api import expect

    client = serve(change=lambda text: "client_max_body_size 1k;\n" + text)
    question = "long " * 1000
    _send(browser_page, client, question)

    expect(browser_page.get_by_role("alert")).to_contain_text("too long")
    expect(browser_page.get_by_role("button", name="Try again")).to_be_visible()
    expect(browser_page.locator("article")).to_contain_text(question.strip())


def test_a_reload_in_mid_answer_loses_nothing(site: Site, serve: Serve, nginx: list[Nginx]) -> None:
    asked = ask(serve(), "reload")
    texts = {"before": "", "after": ""}

    with asked.client.stream("GET", asked.stream) as before:
        events = _events(before)
        texts["before"] = _until_first(events)
        nginx[0].reload()
        url = asked.client.base_url.join(asked.stream)

        with httpx.stream("GET", url, cookies=asked.client.cookies) as after:
            more = _events(after)
            texts["after"] = _until_first(more)
            site.let_go("reload")
            texts["after"] += "".join(event.get("delta", "") for event in more)

        texts["before"] += "".join(event.get("delta", "") for event in events)

    assert texts == {"before": WHOLE, "after": WHOLE}


def _ignore(text: str) -> str:
    return IGNORED + text


def _send(page: Page, client: httpx.Client, question: str) -> None:
    page.goto(str(client.base_url.join("/chat/")))
    page.locator("textarea").fill(question)
    page.keyboard.press("Enter")


def _until_first(events: Iterator[dict[str, Any]]) -> str:
    text = ""

    while text != FIRST:
        text += next(events).get("delta", "")

    return text


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def _is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{API}/healthz").status_code == 200
    except httpx.TransportError:
        return False
