"""The door to the database: short reads, and writes of one transaction each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Concatenate, Generic, Literal, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from flask_chatstream.errors import StorageUnavailable
from flask_chatstream.models import journal_for

from .rounds import transaction
from .writer import Writer

P = ParamSpec("P")
R = TypeVar("R")

#: How often a transaction is tried that the database rolls back for the sake of another one.
ATTEMPTS = 4

#: PostgreSQL's serialization failure, deadlock and lock timeout (appendix A of its manual);
#: MariaDB's deadlock, lock wait timeout and changed record (its error code reference).
_REPEATABLE: set[object] = {"40001", "40P01", "55P03", 1213, 1205, 1020}
#: The same sources; SQLite says it with an OperationalError.
_MISSING_TABLE: set[object] = {"42P01", 1146}


class Database:
    """An engine, and how the package reads and writes through it.

    ``owned`` says that the package made the engine and may set what stays in its file.
    ``on_refusal`` is called where a write has failed on SQLite, by whoever waited for it.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        owned: bool = False,
        durability: Literal["power", "process"] = "power",
        window: float = 0.0,
        on_refusal: Callable[[], object] = lambda: None,
    ):
        self.engine = engine
        self.owned = owned
        self.durability = durability
        self.dialect = engine.dialect.name
        self.journal = journal_for(self.dialect)
        synchronous = "FULL" if durability == "power" else "NORMAL"
        self.writer = Writer(engine, synchronous=synchronous, window=window)
        self._committed = _committed(engine)
        self._reading = _reading(engine)
        self._on_refusal = on_refusal
        self._relaxed: bool | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A short session for reading; never hold it across a wait or a yield to a viewer.

        Each statement sees what is committed when it begins; on an SQLite engine that begins
        transactions by itself, the first one behind a rollback does. Raises `StorageUnavailable`
        when the database does not answer.
        """

        with (
            _translated(),
            self._reading.connect() as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session

    def write(
        self, job: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """The result of a job, run in one transaction that has committed when this returns.

        Raises what the job raises, with everything rolled back; `StorageUnavailable` when the
        database did not take it.
        """

        if self.dialect != "sqlite":
            with _translated():
                return self._repeated(job, *args, **kwargs)

        try:
            return self.write_apart(job, *args, **kwargs)
        except StorageUnavailable:
            self._on_refusal()
            raise

    def write_apart(
        self, job: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """As `write`, on the writer's own connection, which no request of the site's can hold.

        Only for jobs that wait for nobody's lock: everybody's text waits behind them.
        """

        queued = _Job(lambda connection: job(connection, *args, **kwargs), self.dialect)
        self.writer.submit(queued)

        with _translated():
            return queued.result()

    def _repeated(
        self, job: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._begin(job, *args, **kwargs)
            except DBAPIError as error:
                if not _is_rolled_back(error):
                    raise

        return self._begin(job, *args, **kwargs)

    def _begin(
        self, job: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        with self._committed.begin() as connection:
            if self._is_relaxed(connection):
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")

            return job(connection, *args, **kwargs)

    def _is_relaxed(self, connection: Connection) -> bool:
        """Whether the server would answer before a commit is on its disk; asked once."""

        if self._relaxed is None:
            asks = self.dialect == "postgresql" and self.durability == "power"
            query = "SELECT current_setting('synchronous_commit')"
            found = connection.exec_driver_sql(query).scalar() if asks else None
            self._relaxed = found in ("off", "local")

        return self._relaxed


def _committed(engine: Engine) -> Engine:
    """The engine at READ COMMITTED, whatever the host's has.

    Only there does a plain read see what the locks before it waited for; a snapshot taken earlier
    would fold less than what was shown.
    """

    if engine.dialect.name == "sqlite":
        return engine

    return engine.execution_options(isolation_level="READ COMMITTED")


def _reading(engine: Engine) -> Engine:
    """The engine for reads, whose statements need no transaction around them.

    PostgreSQL's driver would ask for one, and give it back, in a round trip each.
    """

    if engine.dialect.name != "postgresql":
        return _committed(engine)

    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _is_rolled_back(error: DBAPIError) -> bool:
    """Whether the database gave up a transaction that may simply be repeated."""

    return bool(_codes(error) & _REPEATABLE)


def _codes(error: DBAPIError) -> set[object]:
    """The driver's codes: PyMySQL has a number, and of late the vaguer SQLSTATE beside it."""

    original = error.orig
    numbers = original.args[:1] if original is not None else ()

    return {getattr(original, "sqlstate", None), getattr(original, "pgcode", None), *numbers}


class _Job(Generic[R]):
    """A write by the writer, and a caller who waits for the commit.

    On SQLite it is a part of the round's transaction, elsewhere one of its own.
    """

    def __init__(self, job: Callable[[Connection], R], dialect: str):
        self._job = job
        self._transaction = nullcontext if dialect == "sqlite" else transaction
        self._done = threading.Event()
        self._result: R
        self._error: Exception | None = None

    def prepare(self) -> int:
        return 1

    def execute(self, connection: Connection) -> None:
        with self._transaction(connection):
            self._result = self._job(connection)

    def publish(self, error: Exception | None) -> None:
        self._error = error
        self._done.set()

    def result(self) -> R:
        self._done.wait()

        if self._error is not None:
            raise self._error

        return self._result


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
        raise StorageUnavailable("The chat's database does not answer just now.") from error
    except DBAPIError as error:
        if _codes(error) & _MISSING_TABLE:
            raise StorageUnavailable("The chat's tables are missing.") from error
        if not error.connection_invalidated:
            raise
        raise StorageUnavailable("The connection to the chat's database was lost.") from error
