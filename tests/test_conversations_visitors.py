"""Whoever asks and whoever claims at the same moment: nothing stays with the anonymous id."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select, text

from flask_chatstream.conversations import (
    Ask,
    Turn,
    create_conversation,
    delete_remains,
    move_owner,
)
from flask_chatstream.conversations.asking import _ask
from flask_chatstream.errors import Conflict
from flask_chatstream.models import Conversation, Submission, Visitor, new_id
from flask_chatstream.storage import Database
from tests.waiting import wait_for

pytest_plugins = ["tests.engine_fixtures"]
EVERYWHERE = pytest.mark.every_database
VISITOR = f"anonymous:{'0' * 32}"
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


class Meanwhile:
    """What another connection does while this transaction is open: it waits, or is over."""

    def __init__(self, database: Database, act: Callable[[], object]):
        self._database = database
        self._act = act
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        # InnoDB looks anew only when nobody has asked it for a tenth of a second.
        wait_for(lambda: not self._thread.is_alive() or self._is_waiting(), 20, interval=0.2)

    def _run(self) -> None:
        try:
            self._act()
        except Exception as error:
            self.error = error

    def _is_waiting(self) -> bool:
        with self._database.engine.connect() as connection:
            return bool(connection.scalar(text(WAITING[self._database.dialect])))

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()


def ask_in(connection: Connection, **wanted: object) -> None:
    turns = (Turn("user", "Why?"),)
    _ask(connection, Ask(VISITOR, "chatstream", turns, **wanted), new_id())  # type: ignore[arg-type]


def owners(database: Database) -> set[str]:
    with database.read() as session:
        rows = session.scalars(select(Conversation.owner)).all()
        keys = session.scalars(select(Submission.owner)).all()

        return {*rows, *keys}


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize("store", ["ask", "create"])
def test_a_claim_waits_for_what_is_being_stored(server_url, make_worker, asked_before, store):
    """The claim did not see the conversation, which stayed where nobody finds it."""

    worker = make_worker(server_url)
    database = worker.database

    if asked_before:
        worker.ask(owner=VISITOR)

    with database.engine.begin() as connection:
        if store == "ask":
            ask_in(connection, key="k")
        else:
            create_conversation(connection, VISITOR, "chatstream")

        claim = Meanwhile(database, lambda: database.write(move_owner, VISITOR, "ada"))

    claim.join()
    assert claim.error is None
    assert owners(database) == {"ada"}


@pytest.mark.parametrize("asked_before", [False, True])
def test_what_waits_for_a_claim_stores_nothing(server_url, make_worker, asked_before):
    worker = make_worker(server_url)
    database = worker.database

    if asked_before:
        worker.ask(owner=VISITOR)

    with database.engine.begin() as connection:
        move_owner(connection, VISITOR, "ada")
        ask = Meanwhile(database, lambda: worker.ask(owner=VISITOR, key="k"))

    ask.join()
    assert isinstance(ask.error, Conflict)
    assert ask.error.code == "owner_changed"
    assert VISITOR not in owners(database)


@EVERYWHERE
@pytest.mark.parametrize("asked_before", [False, True])
def test_nothing_is_stored_after_a_claim(worker, asked_before):
    where = {}

    if asked_before:
        where["conversation_id"] = worker.ask(owner=VISITOR, answer=False).conversation_id

    worker.database.write(move_owner, VISITOR, "ada")
    before = worker.rows()

    with pytest.raises(Conflict):
        worker.ask(owner=VISITOR, key="k", **where)

    with pytest.raises(Conflict):
        worker.database.write(create_conversation, VISITOR, "chatstream")

    assert worker.rows() == before
    assert VISITOR not in owners(worker.database)


@EVERYWHERE
def test_a_second_claim_moves_nothing_and_the_first_one_stands(worker):
    worker.ask(owner=VISITOR)

    assert len(worker.database.write(move_owner, VISITOR, "ada")) == 1
    assert worker.database.write(move_owner, VISITOR, "eve") == []
    assert owners(worker.database) == {"ada"}


@EVERYWHERE
def test_nothing_is_given_to_a_claimed_visitor(worker):
    worker.database.write(move_owner, VISITOR, "ada")
    worker.ask(owner="ada")

    with pytest.raises(Conflict):
        worker.database.write(move_owner, "ada", VISITOR)

    assert owners(worker.database) == {"ada"}


@EVERYWHERE
def test_a_deletion_forgets_a_visitor_but_not_a_claim(worker):
    other = f"anonymous:{'1' * 32}"
    worker.database.write(create_conversation, other, "chatstream")
    worker.database.write(move_owner, VISITOR, "ada")

    for owner in (VISITOR, other):
        worker.database.write(delete_remains, owner)

    with worker.database.read() as session:
        assert session.scalars(select(Visitor.owner)).all() == [VISITOR]


@EVERYWHERE
def test_many_first_questions_of_one_visitor_at_once(migrated_url, make_worker):
    workers = [make_worker(migrated_url) for _ in range(2)]
    errors, ready = [], threading.Barrier(10)

    def submit(by: object) -> None:
        ready.wait(20)

        try:
            by.ask(owner=VISITOR)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=submit, args=(workers[n % 2],)) for n in range(10)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(40)

    assert errors == []
    assert workers[0].rows()["chatstream_conversation"] == 10
    assert workers[0].rows()["chatstream_visitor"] == 1
