"""flask_chatstream as a site runs it, with gevent's server.

``--journal off`` publishes text without storing it: the same pipeline and transport, nothing
durable. It is here to show what durability costs, and nowhere else. ``--handler gevent`` leaves
out our handler: every frame of every viewer goes through WSGI.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from gevent import pywsgi as gevents
from gevent.pywsgi import WSGIServer

from flask_chatstream.generation.journal import Journal
from flask_chatstream.generation.stream import Stream
from flask_chatstream.pywsgi import WSGIHandler

from .site import make_app, parse


def unstored(self: Journal, stream: Stream, text: str) -> None:
    """`Journal.append` without a journal."""

    stream.live.publish(stream.live.length, text)
    stream.committed = stream.live.length


def main() -> None:
    """Serve until the process is ended."""

    arguments = parse(__doc__).parse_args()

    if arguments.journal == "off":
        Journal.append = unstored  # type: ignore[method-assign]

    app = make_app(arguments)
    handler = gevents.WSGIHandler if arguments.handler == "gevent" else WSGIHandler
    address = ("127.0.0.1", arguments.port)
    WSGIServer(address, app, log=None, backlog=4096, handler_class=handler).serve_forever()


if __name__ == "__main__":
    main()
