"""The shop's configuration: its own values, and over them what the environment says."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from flask import Config
from sqlalchemy import make_url

from .lock import locked

HERE = Path(__file__).resolve().parent

INSTRUCTIONS = """\
You are the assistant of Fern & Kettle, a small shop that grows house plants and blends teas in a
greenhouse in Bristol. Answer warmly, plainly and briefly, in the customer's language.

- Delivery takes 2 to 4 working days and is free from £40. Returns are free within 30 days.
- A plant that arrives hurt is replaced; a photo is all that is needed.
- Speak of orders only as they are listed below; never invent one. You cannot change an order
  yourself: the team does, at hello@fernandkettle.example.
- Say so when you do not know.
"""

SUGGESTIONS = [
    "Where is my order?",
    "How do I repot a fern, step by step?",
    "Write a long article about tea",
]


def instance_folder() -> Path:
    """Where the shop keeps its data."""

    folder = Path(os.environ.get("SHOP_INSTANCE_PATH") or HERE / "instance").resolve()
    folder.mkdir(parents=True, exist_ok=True)

    return folder


def load_config(folder: Path) -> dict[str, Any]:
    """The configuration of a shop whose data is in ``folder``."""

    return {
        "SECRET_KEY": _secret_key(folder),
        "SESSION_COOKIE_NAME": "shop_session",
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SQLALCHEMY_DATABASE_URI": _database_uri(folder),
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True},
        "CHATSTREAM_TITLE": "Help desk",
        "CHATSTREAM_INSTRUCTIONS": INSTRUCTIONS,
        "CHATSTREAM_SUGGESTIONS": SUGGESTIONS,
        "CHATSTREAM_BASE_TEMPLATE": "shop/chat.html",
        "CHATSTREAM_AUTO_UPGRADE": True,
        **_chatstream_environment(),
    }


#: Variables that are for the tests and benchmarks, not for the chat.
OF_TESTS = ("REQUIRE_ALL", "TEST_", "BENCH_")


def _chatstream_environment() -> dict[str, Any]:
    """Every ``CHATSTREAM_*`` variable, read as JSON where it is JSON."""

    given = Config(str(HERE))
    given.from_prefixed_env("CHATSTREAM")

    return {
        f"CHATSTREAM_{key}": value for key, value in given.items() if not key.startswith(OF_TESTS)
    }


def _database_uri(folder: Path) -> str:
    given = os.environ.get("SHOP_DATABASE_URL")

    if not given:
        return f"sqlite:///{folder / 'shop.sqlite3'}"

    url = make_url(given)

    # Without a driver's name SQLAlchemy takes psycopg2, which blocks gevent's loop.
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")

    return url.render_as_string(hide_password=False)


def _secret_key(folder: Path) -> str:
    """A key that is made once and stays, so that a restart signs nobody out."""

    path = folder / "secret.key"

    with locked(folder):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32), encoding="ascii")

        return path.read_text(encoding="ascii")
