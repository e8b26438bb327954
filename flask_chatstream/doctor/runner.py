"""Where answers run, and whether those who are to write them are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask_chatstream.config import Settings
from flask_chatstream.generation.queue import TASK

from .finding import Finding, failure, ok, warning

#: How long workers have to answer, in seconds.
PATIENCE = 1.0
BROKER = (
    "Is it running, and does this machine reach it by broker_url? Until then answers end with "
    "the error `queue`."
)
NOBODY = (
    "Start one: `celery -A make_celery worker -P gevent -c 100`. Until then answers wait for "
    "CHATSTREAM_QUEUE_TIMEOUT and end as interrupted."
)
STRANGERS = (
    "They drop the task when they take it. Have them load the site's app with the same settings, "
    "or give the chat's task a queue of its own (task_routes)."
)
MORE = "Set worker_prefetch_multiplier = 1."


def check_runner(settings: Settings, find_celery: Callable[[], Any]) -> Iterator[Finding]:
    """What ``CHATSTREAM_RUNNER`` says; with Celery, its broker and its workers."""

    if settings.runner != "celery":
        beside = "Answers run in the processes of the site that are asked"
        yield ok(f"{beside} (CHATSTREAM_RUNNER={settings.runner}).")
        return

    celery = find_celery()

    if (trouble := _find_trouble(celery)) is not None:
        yield trouble
        return

    yield ok(f"Celery's broker answers: {_broker(celery)}.")
    yield from judge_workers(celery.control.inspect(timeout=PATIENCE).registered() or {})

    if celery.conf.worker_prefetch_multiplier != 1:
        yield warning(
            "A Celery worker takes more answers than it writes at once, and others idle meanwhile.",
            MORE,
        )


def judge_workers(registered: dict[str, list[str]]) -> Iterator[Finding]:
    """What workers say that they can do, by their names."""

    strangers = [name for name, tasks in registered.items() if TASK not in tasks]

    if not registered:
        yield failure(f"No Celery worker answers within {PATIENCE:.0f} s.", NOBODY)
    elif strangers:
        yield failure(f"Celery workers do not know {TASK}: {', '.join(strangers)}.", STRANGERS)
    else:
        yield ok(f"Celery workers that write answers: {len(registered)}.")


def _find_trouble(celery: Any) -> Finding | None:
    with celery.connection_for_write() as connection:
        try:
            connection.connect()
        except Exception as error:  # whatever the broker's driver raises
            what = f"Celery's broker does not answer, {_broker(celery)}: {type(error).__name__}."

            return failure(what, BROKER)

    return None


def _broker(celery: Any) -> str:
    """The broker's address without its password."""

    address: str = celery.connection_for_write().as_uri()

    return address
