"""Who tells the world: the signals of one app, sent in its context."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from typing import Any

from blinker import NamedSignal
from flask import Flask, current_app

from . import signals
from .lifecycle import Ended


class Announcer:
    """Sends signals with an app as sender; an answer may outlive a test's app."""

    def __init__(self, app: weakref.ref[Flask]):
        self._app = app

    def send(self, signal: NamedSignal, **values: Any) -> None:
        """Tell all receivers, in a context of the app: another app's may be the current one."""

        app = self._app()

        if app is None:
            return

        with nullcontext() if current_app and current_app == app else app.app_context():
            signals.send(signal, app, **values)

    def ended(self, ended: Ended) -> None:
        """Tell that an answer has ended, well or badly."""

        is_whole = ended.status == "completed"

        self.send(
            signals.generation_finished if is_whole else signals.generation_failed,
            conversation_id=ended.conversation_id,
            message_id=ended.message_id,
            generation_id=ended.generation_id,
            status=ended.status,
            error_code=ended.error_code,
        )
