"""The docs say what is true, and nothing else."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from blinker import NamedSignal
from click import Group
from flask import Flask

from flask_chatstream import chatstream, signals
from flask_chatstream.config import PREFIX, Settings
from flask_chatstream.errors import PROVIDER_CODES
from flask_chatstream.models import metadata_for
from tests.test_layering import ROW_OF

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
KEYS = {PREFIX + field.name.upper() for field in dataclasses.fields(Settings)}


def _app() -> Flask:
    app = Flask(__name__)
    app.register_blueprint(chatstream)

    return app


def test_every_setting_is_documented_and_no_other() -> None:
    text = (DOCS / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `(CHATSTREAM_\w+)`", text, re.M))

    assert documented == KEYS


def test_the_env_example_names_every_setting() -> None:
    text = (ROOT / ".env.example").read_text()

    assert set(re.findall(r"^# (CHATSTREAM_\w+)=", text, re.M)) == KEYS


@pytest.mark.parametrize("path", [*DOCS.glob("*.md"), ROOT / "README.md"], ids=lambda p: p.name)
def test_no_page_names_a_setting_that_does_not_exist(path: Path) -> None:
    assert set(re.findall(r"CHATSTREAM_[A-Z_]+[A-Z]", path.read_text())) <= KEYS


def test_every_url_of_the_api_is_documented_and_no_other() -> None:
    prefix = "/chat/api/v1"
    rules = {
        (method, re.sub(r"<\w+>", "<id>", rule.rule.removeprefix(prefix)))
        for rule in _app().url_map.iter_rules()
        if rule.rule.startswith(prefix) and not rule.endpoint.endswith(".api_unknown")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    text = (DOCS / "http-api.md").read_text()
    documented = {
        (method, path.partition("?")[0])
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s]*)`", text)
        if "…" not in path
    }

    assert documented == rules


def test_every_error_code_of_an_answer_is_documented() -> None:
    text = (DOCS / "http-api.md").read_text()
    listed = text.partition("Codes of a failed answer")[2].partition("\n\n")[0]

    assert set(re.findall(r"`([a-z_]+)`", listed)) - {"end", "error_code"} == set(PROVIDER_CODES)


def test_every_table_is_documented_and_no_other() -> None:
    text = (DOCS / "http-api.md").read_text().partition("## Schema")[2]
    documented = set(re.findall(r"`(chatstream_\w+)`", text)) - {"chatstream_alembic_version"}

    assert documented == set(metadata_for("sqlite").tables)


def test_every_signal_is_documented_and_no_other() -> None:
    text = (DOCS / "extending.md").read_text().partition("## Signals")[2].partition("\n## ")[0]
    names = {name for name, value in vars(signals).items() if isinstance(value, NamedSignal)}

    assert names
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == names
    assert _list_in_the_guide("`conversation_created`.*?, each") == names


def _list_in_the_guide(pattern: str) -> set[str]:
    (found,) = re.findall(pattern, (DOCS / "getting-started.md").read_text(), re.S)

    return set(re.findall(r"`(\w+)`", found))


def test_every_command_is_documented_and_no_other() -> None:
    text = "\n".join(path.read_text() for path in (*DOCS.glob("*.md"), ROOT / "README.md"))
    commands = set(_leaves(chatstream.cli))
    named = set(re.findall(r"flask chatstream (doctor|sweep|[a-z]+ [a-z]+)", text))
    of_the_database = _list_in_the_guide("`flask chatstream db` has.*?;")

    assert len(commands) > 9
    assert named | {f"db {name}" for name in of_the_database} == commands
    assert {f"db {name}" for name in of_the_database} == {c for c in commands if c[:3] == "db "}


def _leaves(group: Group) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, Group):
            yield from (f"{name} {leaf}" for leaf in _leaves(command))
        else:
            yield name


def test_every_room_of_the_package_is_listed_from_the_roof_down() -> None:
    text = (DOCS / "how-it-works.md").read_text().partition("## Where things are")[2]
    lines = re.findall(r"^ {6}((?:\w+(?:\.py|/) *)+)", text, re.M)
    listed = [name for line in lines for name in re.findall(r"\w+(?:\.py|/)", line)]
    package = ROOT / "flask_chatstream"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/*") if path.parent.name[0] != "_"}
    rooms |= {path.name for path in package.glob("[a-z]*.py")}
    rows = [ROW_OF[room] for name in listed if (room := re.split(r"\W", name)[0]) in ROW_OF]

    assert set(listed) == rooms
    assert len(listed) == len(rooms)
    assert rows == sorted(rows)


@pytest.mark.parametrize("path", [*DOCS.glob("*.md"), ROOT / "README.md"], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())

    assert not [link for link in links if not (path.parent / link).exists()]
