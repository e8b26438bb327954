"""A worker for gunicorn: gevent's server, with text going to all viewers' sockets from one place.

    gunicorn -k flask_chatstream.ggevent.Worker app:app

It is gunicorn's own ``gevent_pywsgi`` worker with `flask_chatstream.pywsgi.WSGIHandler`.
"""

from __future__ import annotations

from gunicorn.workers.ggevent import GeventPyWSGIWorker, PyWSGIHandler

from flask_chatstream.pywsgi import WSGIHandler

__all__ = ["Handler", "Worker"]


class Handler(WSGIHandler, PyWSGIHandler):  # type: ignore[misc]
    """gunicorn's handler, which lends its connections."""


class Worker(GeventPyWSGIWorker):  # type: ignore[misc]
    """For gunicorn's ``worker_class``."""

    wsgi_handler = Handler
