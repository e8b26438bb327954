"""The hosts, and what is to be known of each before it is built."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

Database = Literal["sqlite", "postgres", "memory"]
Home = Literal["host", "embedded", "temporary"]

BOTH: tuple[Database, ...] = ("sqlite", "postgres")


@dataclass(frozen=True)
class HostKind:
    """A row of the matrix."""

    #: The module below ``tests.hosts``.
    name: str
    #: The databases that it runs on.
    databases: tuple[Database, ...] = BOTH
    #: Its own pages.
    pages: tuple[str, ...] = ("/",)
    #: Forms that may be sent to it, as path and body.
    forms: tuple[tuple[str, str], ...] = ()
    #: Whether it has tables of its own, with ``make_row()``.
    has_rows: bool = True
    #: Whether Flask-Migrate or Flask-Alembic migrates it, and what ``flask db init`` is told.
    migrates: bool = True
    init: tuple[str, ...] = ()
    #: Where the chat's tables belong: into the database of the deployment, the embedded file, or
    #: a temporary file.
    home: Home = "host"
    #: Whether the site's ``create_all()`` makes the chat's tables too.
    covers: bool = True
    #: The names under which the chat's blueprints are registered.
    blueprints: tuple[str, ...] = ("chatstream",)
    #: Whether the installed versions can build it at all; else it is no row.
    is_possible: Callable[[], bool] = lambda: True


def _has_dataclasses() -> bool:
    """Flask-SQLAlchemy 3.1.1 cannot build MappedAsDataclass on SQLAlchemy 2.1.

    ``make test-lowest`` has an older SQLAlchemy.
    """

    version = importlib.metadata.version

    return version("sqlalchemy") < "2.1" or version("flask-sqlalchemy") > "3.1.1"


def web(name: str, *, has_rows: bool = False, **options: Any) -> HostKind:
    """A row for a host in ``tests.hosts.web``."""

    home: Home = "host" if has_rows else "embedded"

    databases = BOTH if has_rows else BOTH[:1]

    return HostKind(
        f"web.{name}", databases, has_rows=has_rows, migrates=False, home=home, **options
    )


HOSTS = (
    HostKind("no_sqlalchemy", ("sqlite",), has_rows=False, migrates=False, home="embedded"),
    HostKind("legacy_model", pages=("/", "/products/1", "/products/9")),
    HostKind("declarative_base", pages=("/", "/posts/first")),
    HostKind("dataclass_base", is_possible=_has_dataclasses),
    HostKind("naming_convention", pages=("/", "/books.json")),
    HostKind("other_schema", ("postgres",)),
    HostKind("binds", init=("--multidb",)),
    HostKind("binds_only", migrates=False, home="embedded", covers=False),
    HostKind("chat_bind", init=("--multidb",)),
    HostKind("tenants", pages=("/", "/?tenant=2")),
    HostKind("own_message", pages=("/", "/messages/1")),
    HostKind("lite", covers=False, forms=(("/", "title=Sleep"),)),
    HostKind("early_blueprints", forms=(("/wiki/news", "text=Rain"), ("/wiki/news", ""))),
    HostKind("create_all_at_import", migrates=False),
    HostKind("context_factory", migrates=False),
    HostKind("pushed_context"),
    HostKind("in_memory", ("memory",), migrates=False, home="temporary", covers=False),
    HostKind("several_apps"),
    HostKind("module_level"),
    HostKind("reflecting"),
    web(
        "login_flask_login",
        pages=("/", "/inbox", "/sign-in"),
        has_rows=True,
        forms=(("/sign-in", "name=ada"), ("/sign-in", "")),
    ),
    web(
        "login_security",
        pages=("/", "/members"),
        has_rows=True,
        forms=(("/login", "email=ada"), ("/logout", "")),
    ),
    web("login_session", forms=(("/sign-in", "name=ada"),)),
    web("login_jwt_header", pages=("/", "/me"), forms=(("/token", ""),)),
    web("login_jwt_cookies", forms=(("/order", ""),)),
    web("csrf_wtf", forms=(("/order", "item=chair"),)),
    web("csrf_seasurf", forms=(("/post", "text=Hi"),)),
    web("csp_talisman"),
    web("limiter"),
    web("limiter_everywhere", forms=(("/", "comment=Hi"),)),
    web("caching"),
    web("compress"),
    web("babel"),
    web("request_class"),
    web("brackets"),
    web("no_autoescape"),
    web("script_name", pages=("/shop/", "/")),
    web("proxy_fix"),
    web("subdomain", pages=("http://firm.example/",)),
    web("language_prefix", pages=("/fr/",)),
    web("team_prefix", pages=("/red/",)),
    web("catch_all", pages=("/", "/any/path", "/about/")),
    web("nested", pages=("/", "/account/desk/"), blueprints=("account.desk.chatstream",)),
    web("renamed", pages=("/", "/streams/"), blueprints=("assistant",)),
    web("two_mounts", blueprints=("chatstream", "support")),
)


def rows(
    wanted: Callable[[HostKind], bool] = lambda kind: True, *, databases: int | None = None
) -> list[object]:
    """A pytest parameter for each host that is wanted and each of its databases.

    ``databases=1`` is for what does not depend on them.
    """

    return [
        pytest.param(
            kind,
            database,
            id=f"{kind.name}-{database}",
            marks=[pytest.mark.db] if database == "postgres" else [],
        )
        for kind in HOSTS
        for database in kind.databases[:databases]
        if kind.is_possible() and wanted(kind)
    ]
