"""Imports go down the rooms only, and each outside library has the rooms that may know it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "flask_chatstream"

#: From the roof to the cellar. Rooms of one row do not import each other.
ROWS = (
    ("__init__", "testing", "gunicorn", "ggevent"),
    ("pywsgi",),
    ("blueprint",),
    ("views", "cli", "answer"),
    ("submit", "owners", "doctor"),
    ("state",),
    ("addresses", "announcer", "host", "mounts", "process", "standing"),
    ("generation",),
    ("following",),
    ("lifecycle", "access", "limits", "htmx"),
    ("conversations", "providers", "rendering", "metrics", "migrate"),
    ("storage", "wake"),
    ("models", "sse"),
    ("alarm",),
    ("concurrency",),
    ("events", "config", "signals", "cleaning", "catalogues"),
    ("failures",),
    ("errors",),
)
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}

#: Loaded by the path, by setuptools and by Alembic; nobody imports them.
LOADED_BY_PATH = ("_build", "migrations")

#: Who may import what: rooms, or single files below a room.
FLASK_ROOMS = (
    "addresses",
    "announcer",
    "blueprint",
    "views",
    "cli",
    "state",
    "host",
    "owners",
    "process",
    "standing",
    "access",
    "htmx",
    "generation",
    "testing",
)
SDK_FILES = ("providers/openai_chat", "providers/openai_responses")
HTTP_FILES = (*SDK_FILES, "providers/transport", "doctor/address")
MAY_IMPORT = {
    "babel": ("_build", "views/languages"),
    "flask": FLASK_ROOMS,
    "flask_babel": ("views/languages",),
    "flask_login": ("access",),
    "flask_migrate": (),
    "flask_sqlalchemy": ("host",),
    "htmx_flask": ("htmx",),
    "werkzeug": FLASK_ROOMS,
    "gevent": ("alarm", "concurrency", "pywsgi"),
    "greenlet": ("concurrency",),
    "alembic": ("migrate", "migrations"),
    "openai": SDK_FILES,
    "gunicorn": ("ggevent",),
    "httpx": HTTP_FILES,
    "httpx2": HTTP_FILES,
    "httpcore": HTTP_FILES,
    "httpcore2": HTTP_FILES,
    "anthropic": ("providers/anthropic_messages",),
    "google": ("providers/gemini_generate",),
    "celery": ("generation/queue",),
    "psycopg": ("wake/postgres",),
    "redis": ("wake/redis",),
    "pytest": ("testing",),
    "setuptools": ("_build",),
}


def find_violations(file: str, source: str) -> list[str]:
    """What the module at ``file`` (relative to the package) imports and should not."""

    path = PurePosixPath(file).with_suffix("")
    room = path.parts[0]

    if room not in ROW_OF and room not in LOADED_BY_PATH:
        return [f"{file}: the room {room!r} has no row; give it one in {Path(__file__).name}"]

    return [
        f"{file}:{line}: {problem}"
        for line, module in _imports(path, ast.parse(source))
        if (problem := _problem(path, room, module))
    ]


def _problem(path: PurePosixPath, room: str, module: str) -> str | None:
    root, _, inside = module.partition(".")

    if root == "flask_chatstream":
        return _inward_problem(room, inside.partition(".")[0])

    allowed = MAY_IMPORT.get(root)

    if allowed is None or room in allowed or str(path) in allowed:
        return None

    return f"imports {root}, which only {', '.join(allowed) or 'nobody'} may"


def _inward_problem(room: str, target: str) -> str | None:
    target = target if target in (*ROW_OF, *LOADED_BY_PATH) else "__init__"

    if room == target:
        return None

    if target in LOADED_BY_PATH:
        return f"imports {target}, which is only loaded by its path"

    if ROW_OF.get(room, -1) < ROW_OF[target]:
        return None

    return f"{room} imports {target}, which is not below it"


def _imports(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)

        if isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _absolute(path: PurePosixPath, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""

    # An __init__ is its package: dropping its own name gives the package, as for any module.
    parts = ("flask_chatstream", *path.parts)[: -node.level]

    return ".".join((*parts, node.module) if node.module else parts)


def _modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", _modules())
def test_imports_go_down(file):
    assert find_violations(file, (PACKAGE / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("models/base.py", "from ..storage import Database"),
        ("models/base.py", "from .. import storage"),
        ("models/base.py", "from flask_chatstream.storage.writer import Writer"),
        ("models/base.py", "import flask_chatstream.storage"),
        ("models/base.py", "def late():\n    from flask_chatstream import storage"),
        ("models/__init__.py", "from ..views import pages"),
        ("models/base.py", "from flask_chatstream import chatstream"),
        ("conversations/asking.py", "from ..providers import Provider"),
        ("config.py", "from . import signals"),
        ("storage/writer.py", "import gevent.event"),
        ("conversations/asking.py", "from flask import current_app"),
        ("storage/engine.py", "from alembic import command"),
        ("providers/base.py", "from openai import OpenAI"),
        ("generation/runner.py", "import httpx"),
        ("cli.py", "from flask_chatstream._build import vendor_assets"),
        ("utils.py", ""),
    ],
)
def test_a_violation_is_found(file, source):
    assert len(find_violations(file, source)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("__init__.py", "from .blueprint import ChatStream"),
        ("views/pages.py", "from . import context\nfrom .context import Page"),
        ("views/pages.py", "from .. import conversations\nfrom flask import request"),
        ("generation/__init__.py", "from .runner import Runner\nfrom ..models import Message"),
        ("config.py", "from .errors import ConfigurationError"),
        ("providers/openai_chat.py", "def make():\n    import openai"),
        ("migrations/env.py", "import alembic\nfrom flask_chatstream.models import Base"),
    ],
)
def test_a_lawful_import_passes(file, source):
    assert find_violations(file, source) == []
