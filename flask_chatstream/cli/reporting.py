"""How the commands say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import SQLAlchemyError

from flask_chatstream.errors import ChatStreamError, StorageUnavailable
from flask_chatstream.state import get_state


class Unhelped(click.ClickException):
    """What no command of ours mends."""

    exit_code = 2


@contextmanager
def reported(kind: type[click.ClickException] = click.ClickException) -> Iterator[None]:
    """End the command with a message in place of a traceback."""

    try:
        yield
    except StorageUnavailable as error:
        raise kind(_with_reason(error)) from error
    except ChatStreamError as error:
        raise kind(str(error)) from error
    except SQLAlchemyError as error:
        raise kind(f"The database said: {error}") from error


def _with_reason(error: StorageUnavailable) -> str:
    """The error with what the driver said and of which database, in one line."""

    cause = error.__cause__

    if cause is None:
        return str(error)

    url = get_state().database.engine.url
    said = " ".join(str(getattr(cause, "orig", None) or cause).split())
    said = said.replace(url.password, "***") if url.password else said

    return f"{error} {url.render_as_string(hide_password=True)}: {said}"
