"""What the doctor says of a site that it asks over HTTP, and of what stands before it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect
from flask.typing import ResponseReturnValue

from flask_chatstream.doctor.deployment import compare
from tests.consulting import Report, consult
from tests.hosts import Host, chat, open_host, serve

KEY = "0123456789abcdef for tests only"
Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path, lambda app: app.config.update(SECRET_KEY=KEY)) as host:
        yield host


def ask(host: Host, path: str = "/chat", layer: Callable[[App], App] | None = None) -> Report:
    """The doctor's report on a site that serves, behind a layer."""

    app = host.app.wsgi_app
    host.app.wsgi_app = layer(app) if layer is not None else app  # type: ignore[method-assign]

    with serve(host.app) as address:
        return consult(host.app, "--url", address + path)


def test_a_site_that_is_well(host: Host) -> None:
    chat(host.client())
    report = ask(host)

    assert report.code == 0, report.output
    assert report.find("The chat answers at http://127.0.0.1").level == "ok"
    assert report.find("6 pieces of an event stream").level == "ok"
    assert report.find("Browsers come by HTTP/1.1").level == "warning"
    assert report.find("`flask run` on embedded").level == "ok"
    assert report.find("One worker answered, with release").level == "ok"
    assert report.find("The background work runs in 1 of 1").level == "ok"
    assert report.find("clock goes with this machine's").level == "ok"
    assert not [words for words in report.bad() if "other settings" in words]


def test_a_slash_at_the_end_is_no_other_address(host: Host) -> None:
    assert ask(host, "/chat/").code == 0


class Collected:
    """A layer that gives an answer on when it has all of it."""

    def __init__(self, app: App):
        self._app = app

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        return [b"".join(self._app(environ, start))]


class Compressed:
    """A layer that compresses an answer as a whole."""

    def __init__(self, app: App):
        self._app = app

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start(status, [*headers, ("Content-Encoding", "gzip")], *more)

        return [gzip.compress(b"".join(self._app(environ, begin)))]


def test_a_layer_that_collects(host: Host) -> None:
    report = ask(host, layer=Collected)

    assert report.find("Event streams are held back").level == "failure"
    assert report.code == 1


def test_a_layer_that_compresses_as_a_whole(host: Host) -> None:
    report = ask(host, layer=Compressed)

    assert report.find("compressed as a whole (gzip)").level == "failure"
    assert report.code == 1


def _changed(**values: str) -> Callable[[App], App]:
    """A proxy that tells the app something else than what was asked for."""

    def layer(app: App) -> App:
        return lambda environ, start: app({**environ, **values}, start)

    return layer


def test_a_proxy_that_does_not_pass_the_host(host: Host) -> None:
    report = ask(host, layer=_changed(HTTP_HOST="127.0.0.1:8000"))

    assert "proxy_set_header Host" in str(report.find("host for 127.0.0.1:8000").help)
    assert report.code == 1


def test_a_proxy_that_takes_a_prefix_without_a_word(host: Host) -> None:
    def layer(app: App) -> App:
        def cut(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
            path = environ["PATH_INFO"].removeprefix("/shop")

            return app({**environ, "PATH_INFO": path}, start)

        return cut

    report = ask(host, "/shop/chat", layer)

    assert report.find("takes the chat to be at /chat/").level == "failure"


def test_an_app_that_does_not_know_of_tls() -> None:
    (finding,) = compare("https://shop.example/chat", "http://shop.example/chat/")

    assert (finding.level, "ProxyFix(x_proto=1)" in str(finding.help)) == ("warning", True)
    assert list(compare("https://shop.example:443/chat", "https://shop.example/chat/")) == []


def test_another_address_than_the_chats(host: Host) -> None:
    report = ask(host, "/help")

    assert "url_prefix" in str(report.find("/help/api/v1/doctor answers 404").help)
    assert not report.of("streams")
    assert report.code == 1


def test_a_site_with_another_key(host: Host, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()

    with open_host(other) as asking, serve(host.app) as address:
        report = consult(asking.app, "--url", f"{address}/chat")

    assert "the same SECRET_KEY" in str(report.find("answers 404").help)


def test_a_command_with_other_settings_than_the_workers(host: Host, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()

    with (
        open_host(other, lambda app: app.config.update(SECRET_KEY=KEY)) as asking,
        serve(host.app) as address,
    ):
        report = consult(asking.app, "--url", f"{address}/chat")

    assert report.find("have other settings, or another database").level == "warning"


def test_a_login_wall(host: Host) -> None:
    host.app.before_request(_lead_to_login)
    report = ask(host)

    assert report.find("leads elsewhere: /login").level == "failure"


def _lead_to_login() -> ResponseReturnValue:
    return redirect("/login")


def test_a_page_that_is_no_chat(host: Host) -> None:
    host.app.before_request(lambda: "Hello")

    assert ask(host).find("is not this release of the chat").level == "failure"


def test_nobody_is_there(host: Host) -> None:
    for url in ("http://127.0.0.1:1/chat", "https://127.0.0.1:1/chat"):
        report = consult(host.app, "--url", url)
        assert report.find("does not answer: ConnectError").level == "failure"
        assert report.code == 1


@pytest.mark.parametrize(
    "url", ["shop.example/chat", "/chat", "ftp://x/chat", "http://", "http://[x"]
)
def test_what_is_no_address(host: Host, url: str) -> None:
    report = consult(host.app, "--url", url)

    assert report.find("is no address").level == "failure"


def test_without_a_key_nothing_is_asked(tmp_path: Path) -> None:
    def forget(app: Flask) -> None:
        app.config["SECRET_KEY"] = None

    with open_host(tmp_path, forget) as host:
        report = ask(host)

    assert report.find("no SECRET_KEY to ask with").level == "failure"
    assert not Path(host.app.instance_path, "chatstream.key").exists()
