"""One process's engine in a test: a database, a runtime, a runner, and a model that obeys."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

from sqlalchemy import event, func, select
from sqlalchemy.pool import QueuePool

from flask_chatstream.config import Settings
from flask_chatstream.conversations import Ask, Asked, Placement, Turn, ask, read_text
from flask_chatstream.generation import Here, Runner, Runtime
from flask_chatstream.generation.running import Running
from flask_chatstream.lifecycle import Assignment, Ended
from flask_chatstream.models import Conversation, Generation, Message, metadata_for
from flask_chatstream.providers import Provider
from flask_chatstream.providers.scripted import ScriptedProvider
from flask_chatstream.storage import Database
from flask_chatstream.storage.engine import make_engine
from tests.services import ROOT
from tests.waiting import wait_for

ENDS = ("completed", "error", "cancelled", "interrupted")


class Worker:
    """What one process has: an engine on a database, a runtime, and a runner with a model."""

    def __init__(self, url: str, **settings: Any):
        self.url = url
        self.engine = make_engine(url)
        self._connections: list[Any] = []
        event.listen(self.engine, "connect", lambda made, record: self._connections.append(made))
        own = Settings(**settings)
        self.database = Database(self.engine, owned=True, durability=own.durability)
        self.runtime = Runtime(self.database, own)
        self.model: Provider = ScriptedProvider()
        self.ends: list[Ended] = []
        self.runtime.on_end = self.ends.append
        self.runner = Runner(self.runtime, self)
        self.place = Here(self.runtime, self.runner.run)

    @property
    def provider(self) -> ScriptedProvider:
        """The model, where it is told what to say."""

        assert isinstance(self.model, ScriptedProvider)

        return self.model

    def get_provider(self, mount: str, name: str) -> Provider:
        """The model, whatever its name."""

        return self.model

    def instructions(self, assignment: Assignment, question: str) -> str | None:
        """No system prompt."""

        return None

    def ask(self, question: str = "Why?", **wanted: Any) -> Asked:
        """Store a question of ``ann`` with the answer to come, which is not started.

        ``worker`` and ``lease`` place it elsewhere.
        """

        here = self.place.placement
        placed = {"worker": here.worker, "lease": here.lease}
        placed |= {name: wanted.pop(name) for name in placed if name in wanted}
        values: dict[str, Any] = {
            "owner": "ann",
            "mount": "chatstream",
            "turns": (Turn("user", question),),
            "placement": Placement(here.runner, **placed),
        }

        return ask(self.database, Ask(**{**values, **wanted}))

    def start(self, question: str = "Why?", **wanted: Any) -> Asked:
        """Ask, and have it answered in the background."""

        asked = self.ask(question, **wanted)
        assert asked.generation_id is not None
        self.place.start(asked.generation_id, "chatstream")

        return asked

    def answer(self, question: str = "Why?", **wanted: Any) -> Asked:
        """Ask, and wait for the end of the answer."""

        asked = self.start(question, **wanted)
        self.wait_end(asked)

        return asked

    def wait_end(self, asked: Asked, timeout: float = 30.0) -> Generation:
        """The generation once it has ended."""

        def ended() -> Generation | None:
            found = self.generation(asked)

            return found if found.status in ENDS else None

        found = wait_for(ended, timeout)
        assert found is not None

        return found

    def wait_running(self, asked: Asked) -> Running:
        """This worker's side of a generation once it is claimed."""

        def running() -> Running | None:
            mine = self.runtime.running()

            return next((r for r in mine if r.claimed.message_id == asked.message_id), None)

        found = wait_for(running)
        assert found is not None

        return found

    def cancel(self, asked: Asked) -> Ended:
        """Stop an answer of ``ann``."""

        assert asked.message_id is not None

        return self.runtime.cancel("ann", "chatstream", asked.message_id)

    def generation(self, asked: Asked) -> Generation:
        """The stored generation."""

        with self.database.read() as session:
            return session.query(Generation).filter_by(id=asked.generation_id).one()

    def message(self, asked: Asked) -> Message:
        """The stored answer."""

        with self.database.read() as session:
            return session.query(Message).filter_by(id=asked.message_id).one()

    def conversation(self, asked: Asked) -> Conversation:
        """The stored conversation."""

        with self.database.read() as session:
            return session.query(Conversation).filter_by(id=asked.conversation_id).one()

    def text(self, asked: Asked) -> str:
        """The answer's text as far as it is committed."""

        assert asked.message_id is not None

        with self.database.read() as session:
            return read_text(session, asked.message_id)

    def chunks(self, asked: Asked) -> list[tuple[int, int, str]]:
        """The journal's rows of a generation: seq, start, text."""

        table = self.database.journal
        mine = table.c.generation_id == asked.generation_id

        with self.database.read() as session:
            columns = (table.c.seq, table.c.start, table.c.text)
            rows = session.execute(select(*columns).where(mine).order_by(table.c.seq))

            return [(row.seq, row.start, row.text) for row in rows]

    def rows(self) -> dict[str, int]:
        """How many rows each of our tables has."""

        tables = metadata_for(self.database.dialect).sorted_tables

        with self.database.read() as session:
            return {t.name: session.scalar(select(func.count()).select_from(t)) for t in tables}

    def close(self) -> None:
        """End the background work and let the connections go."""

        self.runtime.close()
        wait_for(self._is_gone, timeout=20)

    def _is_gone(self) -> bool:
        """Whether every connection is closed; one that comes back late goes with the next look."""

        is_quiet = not cast(QueuePool, self.engine.pool).checkedout()

        if is_quiet:
            self.engine.dispose()

        return is_quiet and all(getattr(c, "closed", True) for c in self._connections)


def check_counters(worker: Worker, asked: Asked) -> None:
    """A conversation's counters are what a recount gives; no message is ahead of its version."""

    conversation = worker.conversation(asked)
    mine = Message.conversation_id == asked.conversation_id
    tokens = func.coalesce(Message.input_tokens, 0) + func.coalesce(Message.output_tokens, 0)
    columns = (func.count(), func.sum(tokens), func.max(Message.version))

    with worker.database.read() as session:
        count, spent, version = session.execute(select(*columns).where(mine)).one()

    assert conversation.message_count == count
    assert conversation.total_tokens == spent
    assert conversation.version >= version


def run_python(source: str, *arguments: str, patched: bool, timeout: float = 60) -> str:
    """What a Python program prints; it fails the test unless it ends well.

    ``patched`` runs it after gevent has patched its process.
    """

    prelude = "from gevent import monkey\nmonkey.patch_all()\n" if patched else ""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", prelude + source, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr

    return done.stdout
