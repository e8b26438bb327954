"""``flask chatstream sweep``: what the workers tidy up by themselves, at once."""

from __future__ import annotations

import time

import click
from flask.cli import with_appcontext

from flask_chatstream.conversations import (
    RoundMark,
    count_expired,
    expire,
    find_placeholders,
    remove_placeholders,
)
from flask_chatstream.lifecycle import (
    AbandonRule,
    OrphanRule,
    Rule,
    clear_journal,
    count_clearable,
    find_candidates,
)
from flask_chatstream.lifecycle import sweep as sweep_generations
from flask_chatstream.state import State, get_state
from flask_chatstream.storage import Database

from .reporting import reported


@click.command()
@click.option("--dry-run", is_flag=True, help="Count only, and change nothing.")
@with_appcontext
def sweep(dry_run: bool) -> None:
    """End what nobody writes or watches any more, and remove what is old.

    Answers whose worker is gone, those that nobody watches (CHATSTREAM_ABANDON_SECONDS), answers
    without text beside a better one, expired keys, and the journal's rows of ended answers. The
    workers do it too, while they serve the chat. What is being written is left alone.
    """

    with reported():
        state = get_state()
        lines = _count(state) if dry_run else _sweep(state)

    for what, count in lines.items():
        click.echo(f"{count:>7} {what}")


def _rules(state: State) -> dict[str, Rule]:
    settings = state.settings
    rules: dict[str, Rule] = {"answers interrupted": OrphanRule(settings.queue_timeout)}

    if settings.abandon_seconds is not None:
        rules["answers that nobody watched stopped"] = AbandonRule(settings.abandon_seconds)

    return rules


def _count(state: State) -> dict[str, int]:
    database = state.database
    lines = {what: len(find_candidates(database, rule)) for what, rule in _rules(state).items()}

    with database.read() as session:
        expired = count_expired(session)

    return lines | _told(expired, _go_round(database, is_dry=True), count_clearable(database))


def _sweep(state: State) -> dict[str, int]:
    database, rules = state.database, _rules(state)

    certain = find_candidates(database, OrphanRule(state.settings.queue_timeout, by_time=False))
    meant = [id for rule in rules.values() for id in find_candidates(database, rule)]

    # Those who live may only just have their database back, and must be able to say so.
    if set(meant) - set(certain):
        time.sleep(state.settings.lease_seconds / 3)

    ended = {what: sweep_generations(database, rule) for what, rule in rules.items()}

    for each in (one for found in ended.values() for one in found):
        state.runtime.tell(each)

    with database.read() as session:
        expired = count_expired(session)

    while database.write(expire):
        pass

    lines = {what: len(found) for what, found in ended.items()}

    return lines | _told(expired, _go_round(database, is_dry=False), clear_journal(database))


def _go_round(database: Database, *, is_dry: bool) -> int:
    """How many answers without text there are, and were removed unless it is a dry run."""

    mark: RoundMark | None = RoundMark()
    count = 0

    while mark is not None:
        if is_dry:
            found, mark = find_placeholders(database, mark)
            count += len(found)
        else:
            removed, mark = remove_placeholders(database, mark)
            count += removed

    return count


def _told(expired: int, placeholders: int, rows: int) -> dict[str, int]:
    return {
        "answers without text removed": placeholders,
        "expired keys and log-outs removed": expired,
        "journal rows of ended answers removed": rows,
    }
