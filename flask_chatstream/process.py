"""What one process has of an app's chat; a forked child has its own."""

from __future__ import annotations

import os
from collections.abc import Callable

from flask import Flask

from .config import Settings
from .following import Displays
from .generation import Here, Place, Runner, Runtime, find_queue
from .generation.runner import Desk
from .lifecycle import Ended
from .storage import Database


class Process:
    """An app's engine in the process that made this, and where its answers are written."""

    def __init__(
        self,
        app: Flask,
        database: Database,
        settings: Settings,
        desk: Desk,
        on_end: Callable[[Ended], object],
    ):
        self._pid = os.getpid()
        self.database = database
        self.runtime = Runtime(database, settings)
        self.runtime.on_end = on_end
        self.runner = Runner(self.runtime, desk)
        self.here = Here(self.runtime, self.runner.run)
        self.place: Place = find_queue(app, self.runtime) or self.here
        self.displays = Displays(frozenset(settings.image_hosts or ()))
        #: Whether the tables were found in place.
        self.has_tables = False
        self.is_closed = False

    @property
    def is_here(self) -> bool:
        """Whether it is this process's, and still serves."""

        return self._pid == os.getpid() and not self.is_closed
