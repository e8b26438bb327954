"""How many requests may wait for text at once; the others are answered at once, and poll.

Where a request holds a thread, one that waits holds it as long as it waits: a stream, a long poll,
an answer that is asked for whole. They get half of the threads, so that the site's own pages are
served however many wait.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from flask_chatstream.concurrency import is_patched, pool_size

#: By which a server can be told from a test client.
_NAMES = frozenset({"SERVER_SOFTWARE", "uwsgi.version"})


class Seats:
    """The seats of one process; ``limit`` is the site's own, or None for the server's."""

    def __init__(self, limit: int | None):
        self._limit = limit
        self._lock = threading.Lock()
        self.taken = 0

    def take(self, environ: Mapping[str, Any]) -> bool:
        """Whether a request may wait; if so, `leave` must follow."""

        most = self._most(environ)

        with self._lock:
            if most is not None and self.taken >= most:
                return False

            self.taken += 1

            return True

    def leave(self) -> None:
        """A request waits no more."""

        with self._lock:
            self.taken -= 1

    def are_there(self, environ: Mapping[str, Any]) -> bool:
        """Whether there is any seat, free or not, so that it makes sense to come again."""

        return self._most(environ) != 0

    def _most(self, environ: Mapping[str, Any]) -> int | None:
        own = most_streams(environ)

        if self._limit is None or own == 0:
            return own

        return self._limit


def most_streams(environ: Mapping[str, Any]) -> int | None:
    """How many waiting requests a server bears in one process; None for any number.

    ``environ`` is a request's, by which the server tells. gevent's says that it has no threads,
    which is true and no reason against waiting.
    """

    if is_patched() or _NAMES.isdisjoint(environ):
        return None

    if not environ.get("wsgi.multithread"):
        return 0

    # Flask's development server has a thread for every request.
    if str(environ.get("SERVER_SOFTWARE", "")).startswith("Werkzeug/"):
        return None

    size = pool_size()

    # One leaves room in the smallest pool that has any.
    return 1 if size is None else size // 2
