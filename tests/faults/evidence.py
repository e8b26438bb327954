"""What is stored, read from the database by plain SQL and without the package's own code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, make_url, text

from .exchange import Client, Exchange
from .model import WORD
from .page import Page
from .rig import Rig
from .viewers import API, Sight


@dataclass(frozen=True)
class StoredMessage:
    """A row of messages, with the journal's text behind its content."""

    id: str
    conversation_id: str
    parent_id: str | None
    role: str
    text: str
    status: str
    error_code: str | None


@dataclass(frozen=True)
class StoredGeneration:
    """A row of generations."""

    id: int
    conversation_id: str
    message_id: str
    status: str
    error_code: str | None
    worker: str | None
    base_offset: int

    @property
    def pid(self) -> int:
        """The process that writes or wrote it."""

        return int(self.worker.split(":")[2]) if self.worker else 0


@dataclass(frozen=True)
class Chunk:
    """A row of the journal."""

    generation_id: int
    seq: int
    start: int
    text: str


@dataclass(frozen=True)
class Stored:
    """The database at one moment."""

    messages: Mapping[str, StoredMessage]
    generations: Sequence[StoredGeneration]
    chunks: Sequence[Chunk]
    #: The messages at the ends of the branches that are shown.
    leaves: Set[str]


@dataclass(frozen=True)
class Fresh:
    """An answer as somebody sees it who comes afterwards."""

    message_id: str
    content: str
    listed: str
    polled: str
    streamed: str
    words: tuple[str, ...]


@dataclass
class Case:
    """All that the ten checks look at."""

    stored: Stored
    #: The viewers' sights by a name for each, and whose they were.
    sights: dict[str, tuple[str, Sight]] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    #: The database while answers were written.
    snapshots: list[Stored] = field(default_factory=list)
    #: The last message of every call that the model server began to answer.
    prompts: list[str] = field(default_factory=list)
    #: A word of each owner's that nobody else may see.
    canaries: dict[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    #: Everything textual that the database holds.
    dump: str = ""
    fresh: list[Fresh] = field(default_factory=list)
    #: What workers held before and hold afterwards, by pid.
    before: dict[int, dict[str, int]] = field(default_factory=dict)
    after: dict[int, dict[str, int]] = field(default_factory=dict)
    #: Connections that sit in a transaction.
    idle_in_transaction: int = 0
    #: Viewers that had not reached the end in time.
    late: list[str] = field(default_factory=list)
    #: Texts of answers that were deleted, which no database can tell any more.
    deleted: dict[str, str] = field(default_factory=dict)

    def text(self, message_id: str) -> str | None:
        """What an answer's viewers may have seen: the stored text, or that of a deleted one."""

        if message_id in self.stored.messages:
            return self.stored.messages[message_id].text

        return self.deleted.get(message_id)

    def question(self, message_id: str) -> str:
        """The question above an answer."""

        parent = self.stored.messages[message_id].parent_id

        return self.stored.messages[parent].text if parent else ""


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    engine = create_engine(url)

    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def read_stored(rig: Rig) -> Stored:
    """The database in one snapshot."""

    return read_stored_at(rig.url)


def read_stored_at(url: str) -> Stored:
    """A database in one snapshot."""

    with _connection(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        else:
            connection.exec_driver_sql("BEGIN")

        return _read(connection)


def _read(connection: Connection) -> Stored:
    def rows(statement: str) -> Sequence[Any]:
        return connection.execute(text(statement)).all()

    chunks = [
        Chunk(*row)
        for row in rows(
            "SELECT generation_id, seq, start, text FROM chatstream_chunk"
            " ORDER BY generation_id, seq"
        )
    ]
    generations = [
        StoredGeneration(*row)
        for row in rows(
            "SELECT id, conversation_id, message_id, status, error_code, worker, base_offset"
            " FROM chatstream_generation ORDER BY id"
        )
    ]
    tails: dict[str, str] = defaultdict(str)
    message_of = {g.id: g.message_id for g in generations if g.status in ("queued", "running")}

    for chunk in chunks:
        if chunk.generation_id in message_of:
            tails[message_of[chunk.generation_id]] += chunk.text

    messages = {
        id: StoredMessage(id, conversation, parent, role, content + tails[id], status, code)
        for id, conversation, parent, role, content, status, code in rows(
            "SELECT id, conversation_id, parent_id, role, content, status, error_code"
            " FROM chatstream_message"
        )
    }
    leaves = {leaf for (leaf,) in rows("SELECT active_leaf FROM chatstream_conversation")}

    return Stored(messages, generations, chunks, leaves)


def dump(rig: Rig) -> str:
    """Every value of every one of our tables, as text."""

    lines = []

    with _connection(rig.url) as connection:
        for table in inspect(connection).get_table_names():
            if table.startswith("chatstream_"):
                rows = connection.execute(text(f"SELECT * FROM {table}"))
                lines += [str(tuple(row)) for row in rows]

    return "\n".join(lines)


_IDLE = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = :name"
    " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx t"
    " JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
    " WHERE p.db = :name AND p.command = 'Sleep' AND p.time > 0 AND p.id <> connection_id()",
}


def idle_in_transaction(rig: Rig) -> int:
    """A server's connections to this database that hold a transaction open and do nothing."""

    if (query := _IDLE.get(rig.cell.database)) is None:
        return 0

    with _connection(rig.url) as connection:
        found: int = connection.execute(
            text(query), {"name": make_url(rig.url).database}
        ).scalar_one()

    return found


def look_afresh(client: Client, message: StoredMessage) -> Fresh:
    """An ended answer through every door, as somebody sees it who was not there."""

    conversation = f"{API}/conversations/{message.conversation_id}"
    content = client.request("GET", f"{API}/messages/{message.id}/content").json()["content"]
    listed = client.request("GET", f"{conversation}/messages?leaf={message.id}").json()
    polled = client.request("GET", f"{conversation}/poll").json()
    resumed = {"Last-Event-ID": "0:0"}
    stream = client.request("GET", f"{conversation}/stream", headers=resumed).body.decode()
    page = Page()
    html = client.request("GET", f"/chat/c/{message.conversation_id}?leaf={message.id}").body
    page.apply(html.decode())

    return Fresh(
        message.id,
        content,
        _content(listed, message.id),
        _content(polled, message.id),
        stream,
        tuple(WORD.findall(page.messages[message.id].text)),
    )


def _content(value: dict[str, Any], message_id: str) -> str:
    found = [m["content"] for m in value["messages"] if m["id"] == message_id]

    return str(found[0]) if found else ""
