"""A process whose clock is wrong; the database's, and the monotonic one, stay right."""

from __future__ import annotations

import datetime
import time


def put_ahead(seconds: float) -> None:
    """Put this process's clock ahead, for all that is imported from now on; behind if negative."""

    right, Right = time.time, datetime.datetime

    class Ahead(Right):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return Right.now(tz) + datetime.timedelta(seconds=seconds)

        @classmethod
        def utcnow(cls) -> datetime.datetime:  # type: ignore[override]
            return Ahead.now(datetime.UTC).replace(tzinfo=None)

    time.time = lambda: right() + seconds
    datetime.datetime = Ahead  # type: ignore[misc]
