"""One check: a name, and the function that looks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from .finding import Finding, Level, failure, worst

logger = logging.getLogger(__name__)


class Check:
    """A check of a deployment, run once."""

    def __init__(self, name: str, look: Callable[[], Iterable[Finding]]):
        self.name = name
        self._look = look
        self.findings: list[Finding] = []

    def run(self) -> list[Finding]:
        """What it finds. A check that breaks off has found what it had, and that."""

        try:
            for finding in self._look():
                self.findings.append(finding)
        except Exception as error:  # one that fails must not hide the others
            logger.debug("The check %r broke off.", self.name, exc_info=error)
            self.findings.append(_broken_off(error))

        return self.findings

    @property
    def level(self) -> Level:
        """The level of the worst of it."""

        return worst(self.findings)


def _broken_off(error: Exception) -> Finding:
    cause = getattr(error, "orig", None) or error
    words = f"{type(cause).__name__}: {cause}".partition("\n")[0]

    return failure(f"The check broke off: {words}", "Mend what it says, and run it again.")
