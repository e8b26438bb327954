"""`flask run` with its reloader: a change of the code in mid-answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.faults.rig import free_port
from tests.services import ROOT
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

SITE = """
import os
from flask import Flask
from flask_chatstream import ChatStream
from flask_chatstream.providers.scripted import ScriptedProvider

provider = ScriptedProvider()
app = Flask(__name__, instance_path=os.environ["FOLDER"])
app.config.update(SECRET_KEY="x")
chat = ChatStream(provider=provider)
chat.owner_loader(lambda: "ada")
app.register_blueprint(chat)
provider.enqueue("This is written. ", 60, "This is not.")

@app.get("/pid")
def pid():
    return str(os.getpid())
"""
API = "/chat/api/v1"


def test_a_change_of_the_code_interrupts_honestly(tmp_path: Path) -> None:
    """The new process marks what the old one wrote, and the text that was shown is there."""

    site, port = tmp_path / "site_to_change.py", free_port()
    site.write_text(SITE)
    command = [sys.executable, "-m", "flask", "--app", "site_to_change", "run", "--reload"]
    paths = f"{tmp_path}{os.pathsep}{ROOT}"
    given = {**os.environ, "PYTHONPATH": paths, "FOLDER": str(tmp_path / "instance")}

    with (tmp_path / "log").open("w") as log:
        process = psutil.Popen(
            [*command, "--port", str(port)],
            cwd=tmp_path,
            env=given,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        try:
            first = wait_for(lambda: _pid(client), 30, 0.1)
            _change_in_mid_answer(client, site, first)
        finally:
            everybody = [*process.children(recursive=True), process]

            for one in everybody:
                one.kill()

            process.wait(10)


def _change_in_mid_answer(client: httpx.Client, site: Path, first: str) -> None:
    conversation = client.post(f"{API}/conversations", json={}).json()["id"]
    body = {"content": "Hello", "generate": True}
    url = f"{API}/conversations/{conversation}/messages"
    message = f"{API}/messages/{client.post(url, json=body).json()['message_id']}/content"
    wait_for(lambda: client.get(message).json()["content"] == "This is written. ", 10, 0.05)

    site.write_text(SITE + f"# changed at {time.time()}\n")
    wait_for(lambda: _pid(client) not in ("", first), 30, 0.1)
    found = client.get(message).json()

    assert (found["status"], found["content"]) == ("error", "This is written. ")


def _pid(client: httpx.Client) -> str:
    try:
        return client.get("/pid").text
    except httpx.TransportError:
        return ""
