"""The example shop, on every server that it is said to run on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import NullPool, create_engine, inspect, text
from werkzeug.test import TestResponse

from example_app import create_app
from tests.fakes.model_server import ModelServer
from tests.services import ROOT
from tests.waiting import wait_for

GUNICORN = ["-m", "gunicorn", "example_app.wsgi:app", "--bind", "127.0.0.1:{port}"]
SERVERS = {
    "gevent": ["-m", "example_app"],
    "flask run": ["-m", "flask", "--app", "example_app", "run", "--port", "{port}"],
    "gunicorn gevent": [*GUNICORN, "--workers", "2", "-k", "gevent"],
    "gunicorn gevent preload": [*GUNICORN, "-k", "gevent", "--preload"],
    "gunicorn gthread": [*GUNICORN, "-k", "gthread", "--threads", "8"],
}
SHOP_TABLES = {"alembic_version", "customer", "customer_order", "order_line"}
PAGES = ("/", "/help", "/orders/", "/orders/1042", "/sign-in", "/no-such-page")
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
HEADER = re.compile(r'data-csrf-token="([^"]+)"')


@dataclass
class Shop:
    """A shop that is being served by a process of its own."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    @contextmanager
    def visit(self, name: str | None = None) -> Iterator[httpx.Client]:
        """A visitor, signed in as Ada or Grace when named, who sends the CSRF header."""

        with httpx.Client(base_url=self.url, follow_redirects=True, timeout=20) as visitor:
            if name is not None:
                sign_in(visitor, name)

            visitor.headers["X-CSRFToken"] = found(HEADER, visitor.get("/").text)

            yield visitor


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a shop with an empty instance folder, whose demo model does not dawdle."""

    kept = {key: value for key, value in os.environ.items() if not key.startswith("CHATSTREAM_")}
    changes = {
        "PYTHONPATH": str(ROOT),
        "SHOP_INSTANCE_PATH": str(tmp_path / "shop"),
        "SHOP_DEMO_SPEED": "inf",
    }

    for name, value in changes.items():
        monkeypatch.setenv(name, value)

    return {**kept, **changes}


@pytest.fixture
def shop(environment: dict[str, str]) -> Iterator[Flask]:
    """The shop in this process."""

    with opened(create_app({"TESTING": True})) as app:
        yield app


@contextmanager
def opened(app: Flask) -> Iterator[Flask]:
    """A shop whose connections are closed afterwards."""

    try:
        yield app
    finally:
        app.extensions["chatstream"].close()

        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()


def run_flask(app: Flask, *words: str) -> None:
    """A ``flask`` command of the shop, which must succeed."""

    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output


@contextmanager
def serve(environment: dict[str, str], server: str = "gevent", **more: str) -> Iterator[Shop]:
    """A running shop; it is gone after the ``with``."""

    folder = Path(environment["SHOP_INSTANCE_PATH"])
    port = free_port()
    command = [sys.executable, *(part.format(port=port) for part in SERVERS[server])]
    log = folder.with_suffix(".log")

    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env={**environment, "PORT": str(port), **more},
            cwd=folder.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()

        try:
            return httpx.get(f"http://127.0.0.1:{port}/help", timeout=10).is_success
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, timeout=30, interval=0.05)
        yield Shop(f"http://127.0.0.1:{port}", folder, process)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that nobody listens on just now."""

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def found(pattern: re.Pattern[str], html: str) -> str:
    """What a page says at a pattern's first group."""

    match = pattern.search(html)
    assert match is not None, html

    return match[1]


def sign_in(visitor: httpx.Client, name: str, password: str = "greenhouse") -> httpx.Response:
    """Fill in the form."""

    token = found(TOKEN, visitor.get("/sign-in").text)
    form = {"csrf_token": token, "email": f"{name.lower()}@example.com", "password": password}

    return visitor.post("/sign-in", data=form)


def follow(stream: httpx.Response) -> str:
    """The text of a JSON event stream, to its end."""

    assert stream.status_code == 200, stream.read()
    pieces: list[str] = []

    for line in stream.iter_lines():
        value = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
        pieces.append(value.get("delta", ""))

        if value.get("type") == "end":
            assert value["status"] == "completed"
            return "".join(pieces)

    raise AssertionError("the stream ended without its end")


def sign_in_here(
    client: FlaskClient, password: str = "greenhouse", where: str = "/sign-in"
) -> TestResponse:
    """Sign Ada in through the test client."""

    token = found(TOKEN, client.get(where).text)
    form = {"csrf_token": token, "email": "ada@example.com", "password": password}

    return client.post(where, data=form)


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_chat_works_on_every_server(server, environment):
    with serve(environment, server) as shop, shop.visit("Ada") as ada, shop.visit("Grace") as grace:
        asked = ada.post("/chat/api/v1/chat", json={"message": "Hello", "stream": False})
        assert asked.status_code == 200, asked.text
        ids = asked.json()
        assert "demo model" in ids["content"]

        question = {
            "message": "Where is my order?",
            "conversation_id": ids["conversation_id"],
        }
        with ada.stream("POST", "/chat/api/v1/chat", json=question) as stream:
            streamed = follow(stream)

        messages = ada.get(f"/chat/api/v1/conversations/{ids['conversation_id']}/messages").json()
        assert [m["content"] for m in messages["messages"]][-1] == streamed
        assert "<td>1042</td>" in ada.get(f"/chat/c/{ids['conversation_id']}").text
        assert grace.get(f"/chat/c/{ids['conversation_id']}").status_code == 404


@pytest.mark.slow
def test_answer_is_read_while_it_is_written(environment):
    with serve(environment, SHOP_DEMO_SPEED="8") as shop, shop.visit() as visitor:
        added = visitor.post("/chat/api/v1/chat", json={"message": "A table", "stream": False})
        conversation = f"/chat/api/v1/conversations/{added.json()['conversation_id']}"
        body = {"role": "user", "content": "Show me some code", "generate": True}
        message = visitor.post(f"{conversation}/messages", json=body).json()["message_id"]
        assert visitor.get(f"{conversation}/status").json()["has_active_generation"]

        with visitor.stream("GET", f"{conversation}/stream") as stream:
            followed = follow(stream)

        assert visitor.get(f"/chat/api/v1/messages/{message}/content").json()["content"] == followed


@pytest.mark.slow
def test_ctrl_c_lets_a_running_answer_end(environment):
    with serve(environment, SHOP_DEMO_SPEED="4") as shop, shop.visit() as visitor:
        with visitor.stream("POST", "/chat/api/v1/chat", json={"message": "Hello"}) as stream:
            lines = stream.iter_lines()
            assert any("delta" in line for line in lines)
            shop.process.send_signal(signal.SIGINT)
            assert any('"type":"end"' in line and "completed" in line for line in lines)

        assert shop.process.wait(10) == 0

        with pytest.raises(httpx.ConnectError):
            httpx.get(shop.url)


@pytest.mark.slow
def test_second_ctrl_c_ends_at_once(environment):
    with (
        serve(environment, SHOP_DEMO_SPEED="0.05") as shop,
        shop.visit() as visitor,
        visitor.stream("POST", "/chat/api/v1/chat", json={"message": "Hello"}) as stream,
    ):
        assert any('"start"' in line for line in stream.iter_lines())
        shop.process.send_signal(signal.SIGINT)
        wait_for(lambda: "Ctrl-C again" in shop.folder.with_suffix(".log").read_text())
        shop.process.send_signal(signal.SIGINT)
        assert shop.process.wait(5) == -signal.SIGINT


@pytest.mark.slow
def test_model_is_told_who_asks_and_what_they_ordered(environment):
    with ModelServer() as model:
        keys = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": model.base_url}

        with serve(environment, **keys) as shop, shop.visit("Ada") as ada, shop.visit() as stranger:
            for visitor in (ada, stranger):
                asked = visitor.post("/chat/api/v1/chat", json={"message": "Hi", "stream": False})
                assert asked.status_code == 200, asked.text

        to_ada, to_stranger = (call.messages[0] for call in model.calls)

    assert to_ada["role"] == to_stranger["role"] == "system"
    assert "Fern & Kettle" in to_ada["content"]
    assert "Ada Lovelace" in to_ada["content"] and "Order 1042" in to_ada["content"]
    assert "1043" not in to_ada["content"]
    assert "not signed in" in to_stranger["content"] and "1042" not in to_stranger["content"]


@pytest.mark.slow
def test_busy_port_is_said_in_words(environment):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        run = subprocess.run(
            [sys.executable, "-m", "example_app"],
            env={**environment, "PORT": str(busy.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert run.returncode == 1
    assert "Cannot listen on 127.0.0.1" in run.stderr and "Traceback" not in run.stderr


def test_migration_fits_the_models_and_knows_nothing_of_the_chat(
    environment, database_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("SHOP_DATABASE_URL", database_url)
    migrations = shutil.copytree(ROOT / "example_app" / "migrations", tmp_path / "migrations")
    files = set((migrations / "versions").glob("*.py"))
    engine = create_engine(database_url, poolclass=NullPool)

    with opened(create_app()) as app:
        run_flask(app, "db", "upgrade")
        assert set(inspect(engine).get_table_names()) == SHOP_TABLES

        run_flask(app, "chatstream", "db", "upgrade")
        assert "chatstream_message" in inspect(engine).get_table_names()
        run_flask(app, "db", "migrate", "--directory", str(migrations))
        assert set((migrations / "versions").glob("*.py")) == files

        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE customer ADD COLUMN stray VARCHAR(10)"))

        run_flask(app, "db", "migrate", "--directory", str(migrations))
        (added,) = set((migrations / "versions").glob("*.py")) - files
        assert "stray" in added.read_text() and "chatstream" not in added.read_text()

        run_flask(app, "db", "downgrade", "base")
        assert not (SHOP_TABLES - {"alembic_version"}).intersection(
            inspect(engine).get_table_names()
        )


def test_every_page_has_the_widget_and_the_strict_policy(shop):
    client = shop.test_client()
    sign_in_here(client)

    for path in PAGES:
        page = client.get(path, follow_redirects=True)
        assert page.text.count('data-chatstream="widget"') == 1, path
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert not re.search(r"<[^>]+ (style|on\w+)=|<style|<script(?![^>]* src=)", page.text), path


def test_full_page_wears_the_shop_and_has_no_widget(shop):
    page = shop.test_client().get("/chat/").text

    assert 'class="bar"' in page and "· Fern &amp; Kettle</title>" in page
    assert 'data-chatstream="page"' in page and 'data-chatstream="widget"' not in page
    assert page.count("chatstream.css") == 1


def test_one_click_sends_the_real_password(shop):
    client = shop.test_client()
    page = client.get("/sign-in").text
    form = {
        "csrf_token": found(TOKEN, page),
        "email": found(re.compile(r'name="email" value="(grace[^"]+)"'), page),
        "password": found(re.compile(r'name="password" value="([^"]+)"'), page),
    }

    assert client.post("/sign-in", data=form).status_code == 303
    assert "Hello Grace" in client.get("/").text


def test_wrong_password_is_refused_and_the_address_kept(shop):
    client = shop.test_client()
    refused = sign_in_here(client, "guess")

    assert refused.status_code == 401
    assert "do not belong together" in refused.text and 'value="ada@example.com"' in refused.text
    assert client.get("/orders/").status_code == 302


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/orders/1042", "/orders/1042"),
        ("https://example.org/", "/"),
        ("//example.org/", "/"),
        ("/\\example.org/", "/"),
        ("/%09/example.org/", "/"),
    ],
)
def test_signing_in_leads_back_but_never_away(shop, wanted, reached):
    sent = sign_in_here(shop.test_client(), where=f"/sign-in?next={wanted}")

    assert sent.headers["Location"] == reached


def test_orders_are_their_customers_only(shop):
    client = shop.test_client()
    sign_in_here(client)

    assert "Order 1042" in client.get("/orders/").text
    assert client.get("/orders/1042").status_code == 200
    assert client.get("/orders/1043").status_code == 404


@pytest.mark.parametrize("path", ["/sign-in", "/chat/c", "/chat/api/v1/chat"])
def test_posts_need_the_csrf_token(shop, path):
    assert shop.test_client().post(path, data={"content": "Hello"}).status_code == 400


def test_key_is_made_once_and_is_private(shop):
    again = create_app()
    key = Path(shop.instance_path) / "secret.key"

    assert again.secret_key == shop.secret_key == key.read_text()
    assert key.stat().st_mode & 0o077 == 0


def test_environment_overrides_the_shop(environment, monkeypatch):
    monkeypatch.setenv("CHATSTREAM_TITLE", "Ask us")
    monkeypatch.setenv("CHATSTREAM_SUGGESTIONS", '["One", "Two"]')
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://shop@db.example/shop")
    config = create_app().config

    assert config["CHATSTREAM_TITLE"] == "Ask us"
    assert config["CHATSTREAM_SUGGESTIONS"] == ["One", "Two"]
    assert config["SQLALCHEMY_DATABASE_URI"] == "postgresql+psycopg://shop@db.example/shop"


@pytest.mark.slow
def test_chat_in_a_browser_breaks_no_policy(environment, browser_page):
    said: list[str] = []
    page = browser_page
    page.on("console", lambda message: said.append(message.text))
    page.set_viewport_size({"width": 390, "height": 844})

    with serve(environment, SHOP_DEMO_SPEED="20") as shop:
        page.goto(f"{shop.url}/sign-in")
        page.get_by_role("button", name="Sign in as Ada").click()
        page.get_by_role("heading", name="Hello Ada").wait_for()

        for path in PAGES:
            page.goto(shop.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path

        page.get_by_role("button", name="Help desk").click()
        page.get_by_role("textbox").fill("Where is my order?")
        page.get_by_role("button", name="Send").click()
        answer = '.cs-message[data-role="assistant"][data-status="completed"]'
        page.locator(answer).get_by_text("handed to the carrier").wait_for()

        page.goto(f"{shop.url}/chat/")
        page.locator(answer).get_by_text("handed to the carrier").wait_for()
        composer = page.locator(".cs-composer").bounding_box()
        assert composer is not None and 600 < composer["y"] + composer["height"] <= 844
        assert page.evaluate("document.documentElement.scrollHeight") <= 844

    assert [line for line in said if "Content Security Policy" in line] == []
