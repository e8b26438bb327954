"""Sending the followers of an owner away, in every process: they come back and are asked anew.

A revocation is a row with its time. The poller reads the new ones once a second while anybody
watches, so a stream ends within two seconds wherever it runs (F46).
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flask_chatstream.conversations import read_revocations, store_revocation
from flask_chatstream.storage import Database, now
from flask_chatstream.wake import Wake

from .follow import Follow

LOOK_SECONDS = 1.0
#: A little longer than any event stream of a page lives.
WINDOW = timedelta(seconds=90)


class Revocations:
    """The owners whose followers were sent away lately, as this process knows them."""

    def __init__(self, database: Database, follow: Follow, wake: Wake):
        self._database = database
        self._follow = follow
        self._wake = wake
        self._lock = threading.Lock()
        self._moments: dict[str, datetime] = {}
        self._due = 0.0

    def mark(self, owner: str) -> datetime | None:
        """When this owner's followers were last sent away; a follower takes it at its beginning."""

        return self._moments.get(owner)

    def is_sent_away(self, owner: str, mark: datetime | None) -> bool:
        """Whether that has happened since a follower took its mark."""

        return self._moments.get(owner) not in (None, mark)

    def revoke(self, owner: str) -> None:
        """Send this owner's followers away, here at once; raises `StorageUnavailable`."""

        # Somebody else is doing the same at this moment.
        with suppress(IntegrityError):
            moment = self._database.write(store_revocation, owner)
            self._learn({owner: moment})
            self._wake.tell_revoked()

    def hurry(self) -> None:
        """Another process says that there is something to be learnt."""

        self._due = 0.0

    def look(self, session: Session) -> None:
        """Learn what other processes have revoked, when it is time to look."""

        if time.monotonic() < self._due:
            return

        self._due = time.monotonic() + LOOK_SECONDS
        since = now(session) - WINDOW
        found = read_revocations(session, since)

        with self._lock:
            old = [owner for owner, moment in self._moments.items() if moment < since]

            for owner in old:
                del self._moments[owner]

        self._learn(found)

    def _learn(self, moments: dict[str, datetime]) -> None:
        with self._lock:
            fresh = {o: m for o, m in moments.items() if self._moments.get(o) != m}
            self._moments.update(fresh)

        if fresh:
            for topic in self._follow.topics():
                topic.beat()
