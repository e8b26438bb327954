"""Whether a chat can serve its site, and what keeps it from that, said once in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask, has_request_context

from .errors import ConfigurationError
from .generation import find_mistake

logger = logging.getLogger(__name__)


class Standing:
    """What is wrong with the settings of one app's chat, or with the process it runs in.

    Only the chat is out of service then, never its site. What is mended before the first request
    is taken up.
    """

    def __init__(self) -> None:
        #: What keeps the chat out of service, in words for the site's people; None when it is well.
        self.mistake: str | None = None
        self.is_settled = False
        self._is_judged = False

    def settle(self, take_host: Callable[[], object]) -> None:
        """Take the host as it is now; what that raises is the mistake."""

        before, self.mistake = self.mistake, None

        try:
            take_host()
        except ConfigurationError as error:
            self._note(str(error), before)
        except Exception as error:  # whatever an extension of the host's does
            self._note(f"The chat cannot be set up here: {error!r}", before, error)

        self.is_settled = self.mistake is None or has_request_context()

    def judge_process(self, app: Flask, runner: str) -> None:
        """Whether answers can run in what is asked for; commands and tests run in anything."""

        if self._is_judged or not has_request_context():
            return

        self._is_judged = True
        words = find_mistake(runner)

        if words is not None and not app.testing:
            self._note(words, self.mistake)

    def check(self) -> None:
        """Raises `ConfigurationError` when the chat is out of service."""

        if self.mistake is not None:
            raise ConfigurationError(self.mistake)

    def _note(self, words: str, before: str | None, cause: Exception | None = None) -> None:
        self.mistake = words

        if words != before:
            logger.error("The chat is out of service. %s", words, exc_info=cause)
