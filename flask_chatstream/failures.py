"""Telling the site what has failed in the background, and nothing of what people have written.

An error's words, its frames' variables and those of its causes may hold text of a chat, or a key,
and error trackers send all of them away. So what is logged is a likeness: of which kind the error
was, where it came from, and the ids of what it has happened to. The error itself is logged at
level DEBUG, for those who ask for it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType, TracebackType

from .errors import (
    PROVIDER_CODES,
    ConfigurationError,
    ProviderError,
    SchemaError,
    StorageUnavailable,
)

#: In place of words that may be a person's.
LEFT_OUT = "(what it says is logged at level DEBUG only)"
#: Most errors of a chain of causes.
_DEEPEST = 8
#: Of ours, whose words are about the site.
_SPEAKING = (ConfigurationError, SchemaError, StorageUnavailable)


def report(
    logger: logging.Logger, error: BaseException, message: str, *values: object, **ids: object
) -> None:
    """Log an error of background work with the ``ids`` of what it has happened to.

    ``values`` are the message's, and no text of a chat either. An id becomes an attribute of the
    log record, ``chatstream_`` in front of its name::

        report(logger, error, "Generation %d failed.", 17, generation_id=17)
    """

    logger.error(
        message, *values, exc_info=make_likeness(error), extra=name_ids(**ids), stacklevel=2
    )
    logger.debug("In full:", exc_info=error, stacklevel=2)


def name_ids(**ids: object) -> dict[str, object]:
    """Ids as attributes of a log record; what is None is left out."""

    return {f"chatstream_{name}": id for name, id in ids.items() if id is not None}


def make_likeness(error: BaseException, depth: int = 0) -> Exception:
    """An error of the same name, from the same lines, with nothing of what the error held."""

    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    likeness: Exception = type(kind.__name__, (Exception,), names)(_words(error))
    cause, context = error.__cause__, error.__context__

    if depth < _DEEPEST and cause is not None:
        likeness.__cause__ = make_likeness(cause, depth + 1)
    elif depth < _DEEPEST and context is not None and not error.__suppress_context__:
        likeness.__context__ = make_likeness(context, depth + 1)

    return likeness.with_traceback(_trace(error.__traceback__))


def _words(error: BaseException) -> str:
    if isinstance(error, ProviderError):
        return PROVIDER_CODES[error.code]

    return str(error) if isinstance(error, _SPEAKING) else LEFT_OUT


def _trace(traceback: TracebackType | None) -> TracebackType | None:
    """The same lines in frames without variables."""

    found = None

    for entry in reversed(list(_entries(traceback))):
        # With an instruction's number the line would be looked up in the frame's own code.
        found = TracebackType(found, _blank(entry.tb_frame), -1, entry.tb_lineno)

    return found


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _blank(frame: FrameType) -> FrameType:
    """A frame of a function of the same name and file that knows its module's name only."""

    code: CodeType = _own_frame.__code__.replace(
        co_filename=frame.f_code.co_filename,
        co_name=frame.f_code.co_name,
        co_qualname=frame.f_code.co_qualname,
    )
    known = {"__name__": frame.f_globals.get("__name__"), "sys": sys}
    blank: FrameType = FunctionType(code, known)()

    return blank


def _own_frame() -> FrameType:
    return sys._getframe()
