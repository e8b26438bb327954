"""Hooks for gunicorn: with one line in its configuration a worker that is stopped leaves in order.

    # gunicorn.conf.py
    from flask_chatstream.gunicorn import *

gunicorn drops what runs in the background when it stops a worker. With the hooks the worker takes
no new questions, its answers have ``CHATSTREAM_DRAIN_SECONDS`` to end, and what is left ends as
interrupted, with its text. A worker that is due for recycling (``max_requests``) goes on until it
writes no answer. A site with hooks of its own calls these from them.
"""

from __future__ import annotations

from typing import Any

from flask_chatstream.generation import drain, is_busy, watch_server

__all__ = ["post_worker_init", "pre_request", "worker_abort", "worker_exit", "worker_int"]

#: What is kept for last words of the time after which gunicorn kills, in seconds.
RESERVE = 4.0


def post_worker_init(worker: Any) -> None:
    """The worker is about to serve: ask it from now on whether it is being stopped."""

    patience = [worker.cfg.graceful_timeout, worker.cfg.timeout or worker.cfg.graceful_timeout]
    watch_server(lambda: not worker.alive, max(0.0, min(patience) - RESERVE))


def pre_request(worker: Any, request: Any) -> None:
    """Put off a recycling while answers are written, up to as many requests again."""

    worker.log.debug("%s %s", request.method, request.path)
    due = worker.cfg.max_requests

    if due > 0 and worker.max_requests <= worker.nr + 1 < 2 * due and is_busy():
        worker.max_requests = worker.nr + 2


def worker_int(worker: Any) -> None:
    """Somebody is in a hurry (SIGINT, SIGQUIT): answers are broken off at once."""

    watch_server(lambda: True, 0.0)


worker_abort = worker_int


def worker_exit(server: Any, worker: Any) -> None:
    """The worker serves no more: wait for the answers that it writes."""

    drain()
