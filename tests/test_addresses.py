"""Pages of a site that stand where the chat is: one hides the other, and that is said once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from werkzeug.routing import BaseConverter

from flask_chatstream import ChatStream
from tests.hosts.matrix import HostKind, rows
from tests.hosts.site import open_site

LOGGER = "flask_chatstream.addresses"


class Asking(BaseConverter):
    """A converter that would look its value up."""

    def to_python(self, value: str) -> str:
        raise LookupError(value)


def add(*rules: str, **options: object) -> Callable[[Flask], object]:
    """Gives a site pages at these addresses."""

    def prepare(app: Flask) -> None:
        app.url_map.converters["asking"] = Asking

        for number, rule in enumerate(rules):
            app.add_url_rule(rule, f"page{number}", lambda **values: "A page", **options)

    return prepare


def warnings(app: Flask, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is said at the first requests."""

    for _ in range(2):
        app.test_client().get("/")

    return [r.getMessage() for r in caplog.records if r.name == LOGGER and r.levelname == "WARNING"]


def make_site(folder: Path, prepare: Callable[[Flask], object], prefix: str = "/chat") -> Flask:
    app = Flask("site", instance_path=str(folder))
    app.secret_key = "x"
    app.register_blueprint(ChatStream(), url_prefix=prefix)
    prepare(app)

    return app


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (["/chat/"], ["/chat/ (page0) and /chat/."]),
        (["/chat/<room>"], ["/chat/<room> (page0) and /chat/list, /chat/token."]),
        (["/chat/<asking:room>"], ["/chat/<asking:room> (page0) and /chat/list"]),
        (["/chat/<path:page>"], ["/chat/<path:page> (page0) and ", "/chat/c/<conversation_id>"]),
        (["/chat/", "/chat/list"], ["/chat/ (page0) and /chat/; /chat/list (page1)"]),
    ],
)
def test_what_collides_is_named_once(
    tmp_path: Path, rules: list[str], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (message,) = warnings(make_site(tmp_path, add(*rules)), caplog)

    assert all(words in message for words in said), message
    assert "chat 'chatstream'" in message
    assert 'url_prefix="/assistant"' in message


@pytest.mark.parametrize(
    "rules",
    [
        ["/chat"],
        ["/chats/<id>", "/chat-rules"],
        ["/chat/rules", "/chat/rooms/<room>"],
        ["/<path:page>"],
        ["/<page>/"],
    ],
)
def test_what_only_stands_near_is_not_named(
    tmp_path: Path, rules: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings(make_site(tmp_path, add(*rules)), caplog) == []


def test_another_method_is_another_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = make_site(tmp_path, add("/chat/c", methods=["GET"]))

    assert warnings(app, caplog) == []


def test_a_chat_at_the_sites_root(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = make_site(tmp_path, add("/", "/<path:page>", "/about"), prefix="/")
    (message,) = warnings(app, caplog)

    assert "/ (page0) and /." in message
    assert "page1" not in message and "page2" not in message


def test_two_chats_at_one_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The second one's prefix was forgotten: it could not be reached, without a word."""

    second = ChatStream("support")
    app = make_site(tmp_path, lambda app: app.register_blueprint(second))
    (message,) = warnings(app, caplog)

    assert "/chat/ (support.index) and /chat/" in message


def test_a_nested_chat(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("site", instance_path=str(tmp_path))
    app.secret_key = "x"
    account = Blueprint("account", __name__, url_prefix="/account")
    account.register_blueprint(ChatStream())
    account.add_url_rule("/chat/", "chat", lambda: "A page")
    app.register_blueprint(account)
    (message,) = warnings(app, caplog)

    assert "chat 'account.chatstream'" in message
    assert "/account/chat/ (account.chat)" in message


@pytest.mark.parametrize(
    ("kind", "database"), rows(lambda kind: kind.name.startswith("web."), databases=1)
)
def test_no_host_of_ours_is_warned(
    kind: HostKind,
    database: str,
    tmp_path: Path,
    sqlite_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with open_site(kind, tmp_path, sqlite_url) as site:
        site.install()
        site.client().get(kind.pages[0])

    assert LOGGER not in {record.name for record in caplog.records}
