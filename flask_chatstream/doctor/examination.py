"""All checks in their order; what cannot be looked at is passed over in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain

from flask_chatstream.generation.queue import find_celery
from flask_chatstream.state import State

from .address import Address
from .check import Check
from .clock import check_clock
from .deployment import Deployment
from .disk import check_disk
from .durability import check_durability
from .facts import fingerprint
from .finding import Finding, failure, skipped
from .permit import Keys, make_permit
from .place import check_place, find_column
from .runner import check_runner
from .settings import check_provider, check_secret_key
from .sweeping import check_sweep
from .tables import check_tables
from .wakeups import check_wakeups

Look = Callable[[], Iterable[Finding]]

ASK = (
    "With --url, the public address of the chat, the running site is asked: streams, proxy, "
    "server, workers."
)
KEY = "Set SECRET_KEY, the same for the workers and for this command."


def list_checks(state: State, keys: Keys, url: str | None) -> Iterator[Check]:
    """The checks of an app's deployment, each to be run before the next is taken.

    ``keys`` are those that the site signs with, ``url`` is the public address of a chat.
    """

    yield Check("settings", partial(_check_settings, state))
    yield Check("runner", partial(check_runner, state.settings, partial(find_celery, state.app)))
    yield from _database(state)
    yield from _deployment(state, keys, url)


def _check_settings(state: State) -> Iterator[Finding]:
    providers = (check_provider(name, state.routing(name)) for name in state.mounts)

    return chain(check_secret_key(state.app.secret_key), *providers)


def _database(state: State) -> Iterator[Check]:
    database, settings = state.database, state.settings
    engine = database.engine
    automatic = database.owned if settings.auto_upgrade is None else settings.auto_upgrade

    place = Check("database", partial(check_place, engine, automatic=automatic))
    yield place
    yield Check("disk", partial(check_disk, engine, database.durability))

    # Only a database that has answered is well in any respect.
    given = _look if any(found.level == "ok" for found in place.findings) else _pass_over
    tables = Check("tables", given(partial(check_tables, engine, automatic=automatic)))
    yield tables
    yield Check("durability", given(partial(check_durability, database)))
    yield Check("clock", given(partial(check_clock, engine)))
    yield Check("wake-ups", given(partial(check_wakeups, settings, engine)))

    given = _look if tables.level == "ok" else _pass_over
    yield Check("sweep", given(partial(check_sweep, database, settings)))


def _look(look: Look) -> Look:
    return look


def _pass_over(look: Look) -> Look:
    return lambda: [skipped("Not looked at, for want of what is said above.")]


def _deployment(state: State, keys: Keys, url: str | None) -> Iterator[Check]:
    if url is None:
        yield Check("deployment", lambda: [skipped("Not asked.", ASK)])
        return

    if not keys:
        yield Check("deployment", lambda: [failure("There is no SECRET_KEY to ask with.", KEY)])
        return

    with closing(Address(url, partial(make_permit, keys))) as address:
        asked = Deployment(address, fingerprint(state, keys))
        yield Check("address", asked.check_address)

        if asked.sight is None:
            return

        column = find_column(state.database.engine, owned=state.database.owned)
        yield Check("streams", asked.check_stream)
        yield Check("server", partial(asked.check_server, column))
        yield Check("workers", partial(asked.check_workers, column))
