"""The site of the fault tests on gevent's own server, with a signal handler of its own."""

# The site patches the process before anything else is imported.
# ruff: noqa: I001

from __future__ import annotations

import signal
import sys

from .host import app

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from flask_chatstream import drain
from flask_chatstream.pywsgi import WSGIHandler


def main() -> None:
    """Serve until SIGTERM, then leave in order."""

    address = ("127.0.0.1", int(sys.argv[1]))
    server = WSGIServer(address, app, log=None, spawn=Pool(), handler_class=WSGIHandler)
    server.start()
    stop = Event()
    gevent.signal_handler(signal.SIGTERM, stop.set)
    stop.wait()
    server.close()
    drain()
    server.stop(timeout=1)


main()
