"""The shop on gevent's server; Ctrl-C lets running answers end first."""

from __future__ import annotations

import os
import signal

import gevent
from flask import Flask
from flask.cli import load_dotenv
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from flask_chatstream import drain
from flask_chatstream.pywsgi import WSGIHandler

from . import create_app
from .database import prepare

#: How long viewers have to be told the last words of answers, in seconds.
LAST_WORDS = 1.0


def main() -> None:
    """Serve until Ctrl-C or SIGTERM."""

    load_dotenv()
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "5000"

    if not port.isdecimal():
        raise SystemExit(f"PORT is {port!r}; it must be a number.")

    app = create_app()

    with app.app_context():
        prepare()

    serve(app, host, int(port))


def serve(app: Flask, host: str, port: int) -> None:
    """Serve until a signal comes, then leave in order."""

    server = WSGIServer((host, port), app, log=None, spawn=Pool(), handler_class=WSGIHandler)

    try:
        server.start()
    except OSError as error:
        reason = error.strerror or error
        raise SystemExit(f"Cannot listen on {host}:{port} ({reason}). Try PORT=5001.") from None

    stop = Event()
    watchers = [gevent.signal_handler(n, stop.set) for n in (signal.SIGINT, signal.SIGTERM)]
    _welcome(host, server.server_port or port)
    stop.wait()

    # The next signal does what signals do: it ends the process at once.
    for watcher in watchers:
        watcher.cancel()

    server.close()
    print("\n  Running answers may end first; Ctrl-C again stops at once.", flush=True)
    drain()
    server.stop(timeout=LAST_WORDS)


def _welcome(host: str, port: int) -> None:
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host
    shown = f"[{shown}]" if ":" in shown else shown
    print(
        f"\n  Fern & Kettle is open:  http://{shown}:{port}/\n"
        f"  The chat on its own:    http://{shown}:{port}/chat/\n\n"
        "  Ask something and refresh in mid-answer. Ctrl-C stops the server.\n",
        flush=True,
    )
