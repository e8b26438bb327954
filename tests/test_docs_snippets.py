"""Every fenced snippet of the docs does what it says, or at least what it can without a machine.

One that cannot be run has ``<!-- not run: why -->`` above it.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from flask import Flask, render_template_string

from flask_chatstream import ChatStream, chatstream
from tests.faults.rig import free_port
from tests.forked import run_forked
from tests.nginx import Nginx, place
from tests.services import ROOT
from tests.snippets import FENCE, PAGES, Snippet, snippets
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

GUIDE = (ROOT / "docs" / "getting-started.md").read_text()
#: The line at which the guide for a new site is over.
GUIDE_ENDS = GUIDE.partition("\n## Two lines")[0].count("\n")

#: What is checked here; ``py`` is a file of the project that tests/test_extending.py runs.
KNOWN = {"bash", "css", "html", "ini", "jinja", "nginx", "py", "python", "text"}
#: Programs of the machine's, of which only the syntax of the line is checked, and why.
OUTSIDE = {
    "cd": "changes nothing",
    "echo": "run by the test of the guide",
    "mariadb-dump": "needs the site's database",
    "mkdir": "changes nothing that is tested",
    "pg_dump": "needs the site's database",
    "python3": "makes the site's own environment",
    "systemctl": "needs the site's own unit",
}
SITE = """
from flask import Flask
from flask_chatstream import chatstream

app = Flask(__name__)
app.secret_key = "change me"
app.register_blueprint(chatstream)
"""
#: Runs a snippet in a process of its own and asks what it made.
DRIVER = """
import sys

source = open(sys.argv[1]).read()
names = {"__name__": "__main__"}

if "import" not in source:
    from flask import Flask, session
    from flask_chatstream import chatstream
    from flask_chatstream.testing import scripted

    app = Flask("host")
    app.config.update(TESTING=True, SECRET_KEY="for tests only")
    app.register_blueprint(chatstream)
    names.update(app=app, chatstream=chatstream, session=session, scripted=scripted)
    app.app_context().push()

exec(compile(source, sys.argv[1], "exec"), names)

from flask import Flask
from flask_chatstream import ChatStream

app, chat = names.get("app"), names.get("chatstream")

if app is None and isinstance(chat, ChatStream):
    app = Flask("host")
    app.config.update(SECRET_KEY="for tests only")
    app.register_blueprint(chat)

if app is not None and "chatstream" in app.extensions:
    app.config["TESTING"] = True
    client = app.test_client()
    names = {b.name for b in app.blueprints.values() if isinstance(b, ChatStream)}
    rules = [r for r in app.url_map.iter_rules() if r.endpoint in {f"{n}.index" for n in names}]
    page = next(rule.rule for rule in rules if not rule.arguments)
    shown = client.get(page)
    assert shown.status_code == 200, shown.text
    sent = client.post(page + "c", data={"content": "When do you open?"})
    assert sent.status_code == 303, sent.text
    app.extensions["chatstream"].close()
"""


def _marked(*languages: str) -> list[object]:
    return [pytest.param(s, id=str(s)) for s in snippets(*languages) if s.reason is None]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_fence_is_known_to_a_test(path: Path) -> None:
    found = snippets(page=path.name)

    assert path.read_text().count("\n```") == 2 * len(found)
    assert {s.language for s in found if s.reason is None} <= KNOWN


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_can_be_run_is_fenced(path: Path) -> None:
    indented = r"^ {4}(?:\{\{|<|make |flask |pip |from |import |with |app\.).*"

    assert re.findall(indented, FENCE.sub("", path.read_text()), re.M) == []


@pytest.mark.parametrize("snippet", [pytest.param(s, id=str(s)) for s in snippets() if s.reason])
def test_what_is_not_run_says_why(snippet: Snippet) -> None:
    assert snippet.reason is not None
    assert len(snippet.reason.split()) >= 3

    if snippet.language in ("py", "python"):
        compile(snippet.code, str(snippet), "exec")


@pytest.mark.parametrize("snippet", _marked("python", "py"))
def test_python_runs(snippet: Snippet, tmp_path: Path) -> None:
    if snippet.language == "py":
        assert snippet.file is not None
        compile(snippet.code, str(snippet), "exec")
        return

    (tmp_path / "snippet.py").write_text(snippet.code)
    (tmp_path / "app.py").write_text(SITE)

    if "gunicorn.conf.py" in (snippet.file or ""):
        _run(tmp_path, "-m", "gunicorn", "--check-config", "-c", "snippet.py", "app:app")
        return

    if "monkey" in snippet.code:
        _run_afresh(tmp_path, "-W", "error", "-c", DRIVER, "snippet.py")
        return

    _run(tmp_path, "-c", DRIVER, "snippet.py", strict=True)


@pytest.mark.parametrize("snippet", _marked("jinja"))
def test_templates_render(snippet: Snippet, app: Flask) -> None:
    app.register_blueprint(ChatStream("support", url_prefix="/support"))
    calls = re.findall(r"\{\{ chatstream_(\w+)", snippet.code)

    with app.test_request_context():
        page = render_template_string(snippet.code, conversation_id="0" * 32)

    assert page.count("<chat-widget") == calls.count("widget") + calls.count("panel")
    assert page.count('class="cs-launcher"') == calls.count("widget")
    assert not calls or "chatstream.css" in page


@pytest.mark.parametrize(
    "snippet", [pytest.param(s, id=str(s)) for s in snippets("html", page="theming.md")]
)
def test_templates_of_a_sites_own_are_in_its_pages(snippet: Snippet, tmp_path: Path) -> None:
    assert snippet.file is not None
    path = tmp_path / snippet.file
    path.parent.mkdir(parents=True)
    path.write_text(snippet.code)
    app = Flask("site", root_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="for tests only")

    if path.parent.name == "templates":
        app.config["CHATSTREAM_BASE_TEMPLATE"] = path.name

    app.register_blueprint(chatstream)
    page = app.test_client().get("/chat/", headers={"Accept": "text/html"}).text
    app.extensions["chatstream"].close()
    lines = [line for line in snippet.code.splitlines() if not re.search(r"\{[#%{]", line)]

    assert lines
    assert [line for line in lines if line not in page] == []
    assert page.count("cs-composer") == 1


def test_the_guide_leads_from_an_empty_folder_to_an_answer(tmp_path: Path) -> None:
    guide = [s for s in snippets(page="getting-started.md") if s.line < GUIDE_ENDS]
    port = free_port()

    for snippet in guide:
        if snippet.file is not None:
            path = tmp_path / snippet.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(snippet.code)

    (secret,) = [line for s in guide for line in s.code.splitlines() if line.startswith("echo ")]
    subprocess.run(["bash", "-ec", secret], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "flask", "run", "--port", str(port)]

    with (tmp_path / "log").open("w") as log:
        process = psutil.Popen(
            command, cwd=tmp_path, env=_environment(tmp_path), stdout=log, stderr=log
        )

    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_for(lambda: _home(client), 60, 0.05)
            _use(client)
    finally:
        process.kill()
        process.wait(10)

    assert (tmp_path / "instance" / "chatstream.sqlite3").exists()


def _home(client: httpx.Client) -> str:
    try:
        return client.get("/").text
    except httpx.TransportError:
        return ""


def _use(client: httpx.Client) -> None:
    home = client.get("/").text
    (page,) = re.findall(r'<a href="([^"]+)">Ask us', home)

    assert "cs-launcher" in home
    assert client.get(page).status_code == 200

    answer = client.post(f"{page}api/v1/chat", json={"message": "Hello", "stream": False}).json()

    assert (answer["status"], bool(answer["content"])) == ("completed", True)


@pytest.mark.parametrize("snippet", _marked("bash"))
def test_commands_are_there(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SITE)
    done = subprocess.run(["bash", "-n"], input=snippet.code, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr

    for line in snippet.code.replace("\\\n", "").splitlines():
        words = shlex.split(line, comments=True)

        if words:
            _command(tmp_path, [Path(words[0]).name, *words[1:]])


@pytest.mark.parametrize("snippet", _marked("nginx"))
def test_nginx_takes_it(snippet: Snippet, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    certificate = tmp_path / "site.pem"
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    text = place(snippet.code, free_port(), 8000, certificate)

    assert Nginx(tmp_path / "nginx", text).check() == ""


@pytest.mark.parametrize("snippet", _marked("ini"))
def test_units_start_what_there_is(snippet: Snippet, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(snippet.code)
    (tmp_path / "app.py").write_text(SITE)
    (tmp_path / "gunicorn.conf.py").write_text("from flask_chatstream.gunicorn import *\n")
    _run(tmp_path, "-m", "flask", "chatstream", "db", "upgrade")

    for key in ("ExecStartPre", "ExecStart"):
        words = shlex.split(unit["Service"][key])
        _command(tmp_path, [Path(words[0]).name, *words[1:]])

    assert int(unit["Service"]["TimeoutStopSec"]) > 30


@pytest.mark.parametrize("snippet", _marked("css"))
def test_style_sets_properties_that_there_are(snippet: Snippet) -> None:
    ours = (ROOT / "flask_chatstream" / "static" / "chatstream.css").read_text()
    named = re.findall(r"(--cs-[\w-]+):", snippet.code)

    assert named or ":not(.cs-root *)" in snippet.code
    assert [name for name in named if f"var({name}" not in ours] == []


def test_a_rule_that_is_kept_out_leaves_the_chat_alone(browser_page: Page) -> None:
    (snippet,) = snippets("css", page="grown-sites.md")
    button = "<button style='border-radius: 7px'>"
    browser_page.set_content(
        f"<style>{snippet.code}</style>{button}</button><p class=cs-root>{button}</button></p>"
    )
    radius = "buttons => buttons.map(button => getComputedStyle(button).borderRadius)"

    assert browser_page.eval_on_selector_all("button", radius) == ["0px", "7px"]


def _command(folder: Path, words: list[str]) -> None:
    program, *arguments = words

    if program == "flask" and arguments[0] == "chatstream":
        _run(folder, "-m", "flask", "chatstream", "db", "upgrade")
        _run(folder, "-m", *words)
    elif program == "flask":
        _run(folder, "-m", "flask", "--app", "app", arguments[-1], "--help")
    elif program == "gunicorn":
        _run(folder, "-m", "gunicorn", "--check-config", *arguments)
    elif program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.M), words
    elif program == "pip":
        assert arguments[0] == "install", words
    elif program == "sqlite3":
        _run(folder, "-c", f"import sqlite3; sqlite3.connect({arguments[0].split('/')[-1]!r})")
    else:
        assert program in OUTSIDE, f"no test knows {program}"


def _run(folder: Path, *arguments: str, strict: bool = False) -> None:
    environment = _environment(folder)

    assert run_forked(*arguments, folder=folder, environment=environment, strict=strict) == []


def _run_afresh(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
