"""The site in ``docs/logins.md`` does what is said there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Group
from flask import Flask

from flask_chatstream import chatstream
from flask_chatstream.access import COOKIE
from tests.hosts import API, chat
from tests.services import ROOT


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    text = (ROOT / "docs" / "logins.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", text, re.S)
    (site,) = [snippet for snippet in snippets if "Flask(__name__)" in snippet]
    site = site.replace("Flask(__name__)", f"Flask('site', instance_path={str(tmp_path)!r})")
    names: dict[str, Flask] = {}
    exec(compile(site, "docs/logins.md", "exec"), names)

    yield names["app"]

    names["app"].extensions["chatstream"].close()


def test_a_visitor_signs_in_and_out(app: Flask) -> None:
    app.testing = True
    app.config["CHATSTREAM_PROVIDER"] = "demo"
    client = app.test_client()
    url = f"{API}/conversations/{chat(client)['conversation_id']}"
    assert client.get_cookie(COOKIE) is not None
    client.post("/sign-in", data={"name": "ada"})

    assert client.get_cookie(COOKIE) is None
    assert client.get(url).status_code == 200
    client.post("/sign-out")
    assert client.get(url).status_code == 404
    client.post("/sign-in", data={"name": "ada"})
    assert client.get(url).status_code == 200


def test_every_command_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "logins.md").read_text()
    commands = chatstream.cli.commands["owner"]
    assert isinstance(commands, Group)

    assert set(re.findall(r"chatstream owner (\w+)", text)) == set(commands.commands)
