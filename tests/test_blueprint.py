"""Living in somebody else's app: two lines, and nothing of the host's is changed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template_string
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, inspect

from flask_chatstream import ChatStream, ConfigurationError, chatstream
from flask_chatstream.providers.scripted import ScriptedProvider
from flask_chatstream.state import get_state
from tests.hosts import API, begin, chat
from tests.waiting import wait_for

Build = Callable[..., Flask]


@pytest.fixture
def build(tmp_path: Path, request: pytest.FixtureRequest) -> Build:
    """Makes a bare app; what it has of the chat is closed afterwards."""

    def make(**config: Any) -> Flask:
        app = Flask("host", instance_path=str(tmp_path / "instance"))
        app.config.update(TESTING=True, SECRET_KEY="x", **config)
        request.addfinalizer(lambda: close(app))

        return app

    return make


def close(app: Flask) -> None:
    if "chatstream" in app.extensions:
        app.extensions["chatstream"].close()


def make_chat(*names: str, **values: Any) -> ChatStream:
    return ChatStream(*names, provider=ScriptedProvider(), **values)


def test_a_database_in_memory_is_left_alone(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    app = build(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    app.register_blueprint(make_chat())

    assert chat(app.test_client())["status"] == "completed"
    assert [r.message for r in caplog.records if "in memory" in r.message] == [
        "The site's database is in memory; the chat keeps its rows in a temporary file."
    ]

    with app.app_context():
        assert inspect(db.engine).get_table_names() == []


def test_the_ready_made_chat_in_two_apps(tmp_path: Path) -> None:
    apps = []

    for name in ("one", "two"):
        app = Flask(name, instance_path=str(tmp_path / name))
        app.config.update(TESTING=True, SECRET_KEY="x")
        app.register_blueprint(chatstream)
        apps.append(app)

    asked = begin(apps[0].test_client())
    assert apps[1].test_client().get(asked["stream_url"]).status_code == 404
    assert apps[0].extensions["chatstream"] is not apps[1].extensions["chatstream"]

    for app in apps:
        close(app)


def test_mounted_at_the_sites_root(build: Build, tmp_path: Path) -> None:
    """The chat's files lost to the host's ``/static``, and the page came without style."""

    app = build()
    app.static_folder = str(tmp_path)
    (tmp_path / "mine.css").write_text("mine")
    app.register_blueprint(make_chat(url_prefix="/"))
    client = app.test_client()
    page = client.get("/").get_data(as_text=True)
    assert 'href="/chatstream-static/chatstream.css"' in page

    for path, words in (("static/mine.css", b"mine"), ("chatstream-static/chatstream.css", b".cs")):
        with client.get(f"/{path}") as asset:
            assert asset.status_code == 200 and words in asset.data


def test_below_the_sites_root_its_own_paths_stay_its_own(build: Build) -> None:
    app = build()
    app.add_url_rule("/api/v1/orders", "orders", lambda: "orders", methods=["GET"])
    app.register_error_handler(405, lambda error: ("the host's page", 405))
    app.register_error_handler(404, lambda error: ("the host's page", 404))
    app.register_blueprint(make_chat(url_prefix="/"))
    client = app.test_client()

    assert client.get("/api/v1/orders").data == b"orders"
    assert client.post("/api/v1/orders").data == client.get("/nothing").data == b"the host's page"
    assert client.options("/api/v1/orders").headers["Allow"]
    assert client.get("/api/v1/nothing").get_json()["error"]["code"] == "not_found"
    assert client.put("/api/v1/chat").get_json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("prefix", ["/help", "/a/b"])
def test_another_prefix(build: Build, prefix: str) -> None:
    app = build()
    app.register_blueprint(make_chat(), url_prefix=prefix)
    client = app.test_client()
    value = client.post(f"{prefix}/api/v1/chat", json={"message": "a", "stream": False}).get_json()
    page = client.get(f"{prefix}/").get_data(as_text=True)

    assert value["stream_url"].startswith(f"{prefix}/api/v1/conversations/")
    assert f'href="{prefix}/chatstream-static/chatstream.css"' in page
    assert "/chat/" not in page

    with client.get(f"{prefix}/chatstream-static/chatstream.css") as asset:
        assert asset.status_code == 200


def test_another_name(build: Build) -> None:
    app = build()
    app.register_blueprint(make_chat(), name="desk")
    _check_page(app, "/chat")
    assert chat(app.test_client())["status"] == "completed"


def test_below_another_blueprint(build: Build) -> None:
    app = build()
    site = Blueprint("site", "site", url_prefix="/site")
    site.register_blueprint(make_chat())
    app.register_blueprint(site)
    _check_page(app, "/site/chat")


def test_two_chats_of_one_site(build: Build) -> None:
    app = build()
    sales = make_chat("sales", url_prefix="/sales", instructions="Sell.", title="Sales")
    desk = make_chat("desk", url_prefix="/desk", instructions="Help.", title="Help desk")
    app.register_blueprint(sales)
    app.register_blueprint(desk)
    client = app.test_client()
    client.get("/sales/")
    body = {"message": "a", "stream": False}
    asked = client.post("/sales/api/v1/chat", json=body).get_json()
    client.post("/desk/api/v1/chat", json=body)
    providers = [c.providers["scripted"] for c in (sales, desk)]

    assert [p.requests[0].instructions for p in providers] == ["Sell.", "Help."]
    assert client.get(f"/desk/c/{asked['conversation_id']}").status_code == 404
    assert len(client.get("/desk/api/v1/conversations").get_json()["conversations"]) == 1
    _check_page(app, "/sales")
    _check_page(app, "/desk")

    with app.test_request_context("/"):
        widgets = render_template_string("{{ chatstream_widget() }}{{ chatstream_widget('desk') }}")

    assert 'data-index-url="/sales/"' in widgets
    assert 'data-index-url="/desk/"' in widgets
    assert widgets.count('rel="stylesheet"') == 2


def test_two_chats_of_one_name_are_refused(build: Build) -> None:
    app = build()
    app.register_blueprint(make_chat())

    with pytest.raises(ConfigurationError, match="named 'chatstream'"):
        app.register_blueprint(make_chat(), name="other")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"CHATSTREAM_PROVIDR": "demo"}, "Did you mean CHATSTREAM_PROVIDER"),
        ({"CHATSTREAM_LEASE_SECONDS": 0}, "greater than 0"),
        ({"CHATSTREAM_ANONYMOUS": "maybe"}, "allowed are"),
    ],
)
def test_a_wrong_setting_is_refused_at_start(
    build: Build, config: dict[str, Any], words: str
) -> None:
    app = build(**config)

    with pytest.raises(ConfigurationError, match=words):
        app.register_blueprint(ChatStream())


def test_an_unknown_provider_is_refused_when_all_is_known(build: Build) -> None:
    """It was refused at registration, before the site's own code could register it."""

    app = build(CHATSTREAM_PROVIDER="acme")
    mine = ChatStream()
    app.register_blueprint(mine)

    with app.app_context(), pytest.raises(ConfigurationError) as refused:
        get_state()

    assert str(refused.value) == (
        "There is no provider 'acme'; known are demo, openai. A provider of the site's own is "
        "registered with @chatstream.provider('acme') before the app's first context."
    )
    mine.provider("acme")(lambda: ScriptedProvider("From Acme."))

    assert chat(app.test_client())["content"] == "From Acme."


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"CHATSTREAM_PROVIDER": "openai"}, "there is no key. Set CHATSTREAM_OPENAI_API_KEY or"),
        (
            {"CHATSTREAM_PROVIDER": "openai", "CHATSTREAM_OPENAI_BASE_URL": "http://llm/v1"},
            "no model is named. Set CHATSTREAM_MODEL to one that http://llm/v1 has; gpt-4o-mini is",
        ),
        ({"CHATSTREAM_PROVIDER": "openai", "CHATSTREAM_OPENAI_API_KEY": "sk-secret"}, None),
        (
            {
                "CHATSTREAM_PROVIDER": "openai",
                "CHATSTREAM_OPENAI_BASE_URL": "http://llm/v1",
                "CHATSTREAM_MODEL": "small",
            },
            None,
        ),
        ({}, None),
    ],
    ids=["no key", "no model", "key", "address and model", "demo"],
)
def test_what_is_missing_for_an_answer_is_logged_once(
    build: Build, caplog: pytest.LogCaptureFixture, config: dict[str, Any], words: str | None
) -> None:
    app = build()
    app.register_blueprint(ChatStream())
    app.config.update(config)
    assert caplog.messages == []

    for _ in range(3):
        with app.app_context():
            pass

    assert len(caplog.messages) == (words is not None)
    assert "sk-secret" not in caplog.text

    if words is not None:
        assert caplog.messages[0].startswith(f"The chat 'chatstream' cannot answer: {words}")


def test_the_names_for_templates_are_added_once_and_late(build: Build) -> None:
    """They were made and looked up again in every context that the host pushed."""

    app = build()
    app.register_blueprint(make_chat())
    app.jinja_options = {"trim_blocks": True}

    with app.app_context():
        added = app.jinja_env.globals["chatstream_widget"]

    app.jinja_env.globals.pop("chatstream_panel")

    with app.app_context():
        pass

    assert app.jinja_env.trim_blocks
    assert app.jinja_env.globals["chatstream_widget"] is added
    assert "chatstream_panel" not in app.jinja_env.globals


def test_registration_and_the_hosts_pages_touch_no_database(build: Build, tmp_path: Path) -> None:
    app = build(SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'site.sqlite3'}")
    db = SQLAlchemy(app)
    app.register_blueprint(make_chat())
    app.add_url_rule("/", "home", lambda: render_template_string(_HOST_PAGE))
    asked: list[str] = []

    with app.app_context():
        event.listen(db.engine, "do_connect", lambda *_: asked.append("connect"))

    page = app.test_client().get("/").get_data(as_text=True)

    assert asked == []
    assert not (tmp_path / "site.sqlite3").exists()
    assert "<chat-widget" in page
    assert page.count('rel="stylesheet"') == 2


_HOST_PAGE = """<html><head>{{ chatstream_assets() }}</head>
<body>{{ chatstream_panel() }}{{ chatstream_widget() }}</body></html>"""


def test_a_folder_that_cannot_be_made_spares_the_hosts_pages(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    app = Flask("host", instance_path=str(tmp_path / "file" / "instance"))
    app.config.update(SECRET_KEY="x")
    app.register_blueprint(make_chat())
    app.add_url_rule("/", "home", lambda: render_template_string(_HOST_PAGE))
    client = app.test_client()

    assert client.get("/").status_code == 200
    assert client.get("/chat/").status_code == 503
    assert client.get(f"{API}/conversations").get_json()["error"]["code"] == "storage_unavailable"


def test_a_hidden_widget_is_for_those_signed_in(build: Build) -> None:
    app = build(CHATSTREAM_ANONYMOUS="hidden")
    mine = make_chat()
    app.register_blueprint(mine)
    owners = iter([None, "ada"])
    mine.owner_loader(lambda: next(owners))

    with app.test_request_context("/"):
        assert render_template_string("{{ chatstream_widget() }}") == ""
        assert "chat-widget" in render_template_string("{{ chatstream_widget() }}")


def test_the_context_of_a_question(build: Build) -> None:
    app = build(CHATSTREAM_INSTRUCTIONS="Of the site.")
    mine = make_chat(instructions="Of the chat.")
    asked = []

    @mine.context
    def search(question: str, owner: str) -> str | None:
        asked.append((question, owner))

        return f"Found for {question}."

    mine.context(lambda question, owner: None)
    mine.owner_loader(lambda: "ada")
    app.register_blueprint(mine)
    chat(app.test_client(), "tea")
    provider = mine.providers["scripted"]

    assert asked == [("tea", "ada")]
    assert provider.requests[0].instructions == (  # type: ignore[union-attr]
        "Of the site.\n\nOf the chat.\n\nFound for tea."
    )


def test_a_provider_of_the_sites_own(build: Build) -> None:
    app = build(CHATSTREAM_PROVIDER="acme")
    mine = ChatStream()
    made = []

    @mine.provider("acme")
    def make() -> ScriptedProvider:
        made.append(1)

        return ScriptedProvider("From Acme.")

    app.register_blueprint(mine)
    client = app.test_client()

    assert chat(client)["content"] == chat(client)["content"] == "From Acme."
    assert made == [1]


def test_asking_from_the_sites_own_code(build: Build) -> None:
    app = build()
    mine = make_chat()
    mine.owner_loader(lambda: "ada")
    app.register_blueprint(mine)

    with app.app_context():
        asked = mine.ask("Hello", owner="ada")

    url = f"{API}/messages/{asked.message_id}/content"
    client = app.test_client()
    wait_for(lambda: client.get(url).get_json()["status"] == "completed")

    assert client.get(url).get_json()["content"] == "A scripted answer."


def test_an_app_can_be_collected(tmp_path: Path) -> None:
    app = Flask("host", instance_path=str(tmp_path))
    app.register_blueprint(make_chat())

    with app.app_context():
        pass

    close(app)
    gone = weakref.ref(app)
    del app

    def is_gone() -> bool:
        gc.collect()

        return gone() is None

    wait_for(is_gone)


def _check_page(app: Flask, base: str) -> None:
    """A page whose links all lead to this chat."""

    response = app.test_client().get(f"{base}/")
    page = response.get_data(as_text=True)

    assert response.status_code == 200
    assert f'data-index-url="{base}/"' in page
    assert f'action="{base}/c"' in page
