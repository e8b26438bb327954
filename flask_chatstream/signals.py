"""What others may listen to: blinker signals, sent with the app as sender.

Each names what has happened and carries ids, never text. A receiver that fails is logged and
stops nothing. Behaviour is changed by hooks, never by signals.
"""

from __future__ import annotations

import logging
from typing import Any

from blinker import NamedSignal, Namespace

from .failures import report

logger = logging.getLogger(__name__)
_signals = Namespace()

#: A conversation was stored. ``conversation_id``, ``owner``.
conversation_created = _signals.signal("conversation-created")
#: A message was stored. ``conversation_id``, ``message_id``, ``role``, ``owner``.
message_created = _signals.signal("message-created")
#: A generation was stored and will run. ``conversation_id``, ``message_id``, ``generation_id``.
generation_started = _signals.signal("generation-started")
#: An answer is complete. ``conversation_id``, ``message_id``, ``generation_id``, ``status``.
generation_finished = _signals.signal("generation-finished")
#: An answer ended without being complete. As `generation_finished`, and ``error_code``.
generation_failed = _signals.signal("generation-failed")
#: A reaction was given or taken back. ``message_id``, ``owner``, ``value``.
reaction_changed = _signals.signal("reaction-changed")


def send(signal: NamedSignal, app: object, **values: Any) -> None:
    """Tell all receivers; one that raises is logged and the others still hear."""

    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **values)
        except Exception as error:
            report(logger, error, "A receiver of %s failed.", signal.name, **_ids(values))


def _ids(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name.endswith("_id")}
