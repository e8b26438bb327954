"""What the host has that the chat can use: a database engine, the metadata of its tables, words."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session

from .catalogues import find_tags, load
from .config import Settings
from .errors import ConfigurationError
from .models import Base
from .storage import embedded_engine, temporary_engine
from .storage.engine import find_file, is_in_memory, make_engine

logger = logging.getLogger(__name__)


def find_engine(app: Flask, settings: Settings) -> tuple[Engine, bool]:
    """The engine of the chat's rows, and whether it is one of our own making.

    ``CHATSTREAM_DATABASE_URI`` first, then the host's Flask-SQLAlchemy, then a file in the
    instance folder. Needs an app context. Raises `ConfigurationError` for an unknown bind, and for
    an address that cannot be read or whose driver is missing.
    """

    if settings.database_uri:
        own = _make_own(settings.database_uri)

        return (temporary_engine() if is_in_memory(own) else own), True

    engine = _find_shared(app, settings)

    if engine is None:
        return embedded_engine(app.instance_path), True

    if is_in_memory(engine):
        logger.warning(
            "The site's database is in memory; the chat keeps its rows in a temporary file."
        )
        return temporary_engine(), True

    return engine, False


def _make_own(uri: str) -> Engine:
    try:
        return make_engine(uri)
    except NoSuchModuleError:
        what = f"names a database or driver that SQLAlchemy does not know: {_kind(uri)!r}"
    except ImportError as error:
        what = f"needs a driver that is not installed: {error}"
    except (ArgumentError, ValueError):  # their words may hold the password
        what = "is no address of a database, such as postgresql+psycopg://user:password@host/name"

    raise ConfigurationError(f"CHATSTREAM_DATABASE_URI {what}.")


def _kind(uri: str) -> str:
    return uri.partition(":")[0]


def _find_shared(app: Flask, settings: Settings) -> Engine | None:
    extension = app.extensions.get("sqlalchemy")

    if extension is None:
        return None

    bind = settings.database_bind
    engines: dict[Any, Engine] = extension.engines

    if bind is None:
        return engines.get(None) or engines.get("default")

    if bind not in engines:
        known = ", ".join(sorted(map(str, engines)))
        raise ConfigurationError(f"CHATSTREAM_DATABASE_BIND is {bind!r}; binds are {known}.")

    _follow_binds()

    return engines[bind]


class _Info(dict[Any, Any]):
    """``Base.metadata.info``, where Flask-SQLAlchemy's sessions look for a ``bind_key``.

    Ours is the current app's; apps of one process may have different ones.
    """

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or (key == "bind_key" and _bind() is not None)

    def __missing__(self, key: object) -> str:
        bind = _bind() if key == "bind_key" else None

        if bind is None:
            raise KeyError(key)

        return bind


def _bind() -> str | None:
    state = current_app.extensions.get("chatstream") if current_app else None

    if state is None or state.settings.database_uri:
        return None

    bind: str | None = state.settings.database_bind

    return bind


def _follow_binds() -> None:
    if not isinstance(Base.metadata.info, _Info):
        Base.metadata.info = _Info(Base.metadata.info)


def find_metadatas(app: Flask) -> dict[str | None, MetaData]:
    """The metadata of the host's tables by their bind, when Flask-SQLAlchemy keeps it."""

    return dict(getattr(app.extensions.get("sqlalchemy"), "metadatas", {}))


def find_translations(app: Flask) -> tuple[Path, ...]:
    """Where the site may have catalogues of its own: where its Flask-Babel looks for them."""

    named = getattr(app.extensions.get("babel"), "translation_directories", None)

    return tuple(map(Path, named or [Path(app.root_path) / "translations"]))


def check_language(app: Flask, settings: Settings) -> None:
    """Raises `ConfigurationError` for a language that has no catalogue, ours or the site's."""

    folders = find_translations(app)

    if settings.language != "auto" and load(settings.language, folders) is None:
        known = ", ".join(find_tags(folders))
        raise ConfigurationError(
            f"CHATSTREAM_LANGUAGE is {settings.language!r}; there are {known}."
        )


def warn_of_open_session(engine: Engine) -> None:
    """Log it when the host's own session holds the chat's SQLite file at this very moment.

    The host commits when its request is over, and the request waits for the chat: that would never
    end well.
    """

    if current_app and _holds_file(current_app.extensions.get("sqlalchemy"), engine):
        logger.error(
            "A write of the chat waited in vain for SQLite, which has one writer at a time: the "
            "site's own db.session has an open transaction in this very request. Commit it before "
            "the chat writes, or give the chat a database of its own (CHATSTREAM_DATABASE_URI)."
        )


def _holds_file(extension: Any, engine: Engine) -> bool:
    session = getattr(extension, "session", None)

    if isinstance(session, scoped_session):
        session = session()

    if not isinstance(session, Session) or not session.in_transaction():
        return False

    file = find_file(engine)
    engines = [theirs for theirs in extension.engines.values() if find_file(theirs) == file]

    return any(_writes(session, theirs) for theirs in engines)


def _writes(session: Session, engine: Engine) -> bool:
    try:
        connection = session.connection(bind_arguments={"bind": engine})
    except SQLAlchemyError:
        return False

    return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]
