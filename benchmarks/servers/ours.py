"""flask_chatstream as a site runs it, with gevent's server.

``--journal off`` publishes text without storing it: the same pipeline and transport, nothing
durable. It is here to show what durability costs, and nowhere else.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse

from flask import Flask
from gevent.pywsgi import WSGIServer

from flask_chatstream import ChatStream
from flask_chatstream.generation.journal import Journal, Stream


def unstored(self: Journal, stream: Stream, text: str) -> None:
    """`Journal.append` without a journal."""

    stream.live.publish(stream.appended - len(text), text)
    stream.committed = stream.appended


def main() -> None:
    """Serve until the process is ended."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--database")
    parser.add_argument("--durability", default="process")
    parser.add_argument("--journal", default="on")
    arguments = parser.parse_args()

    if arguments.journal == "off":
        Journal.append = unstored  # type: ignore[method-assign]

    app = Flask(__name__, instance_path=arguments.folder)
    app.config.update(
        SECRET_KEY="bench",
        CHATSTREAM_PROVIDER="openai",
        CHATSTREAM_MODEL="bench",
        CHATSTREAM_OPENAI_API_KEY="bench",
        CHATSTREAM_OPENAI_BASE_URL=f"http://127.0.0.1:{arguments.upstream}/v1",
        CHATSTREAM_DURABILITY=arguments.durability,
        CHATSTREAM_AUTO_UPGRADE=True,
        CHATSTREAM_DATABASE_URI=arguments.database,
    )
    chatstream = ChatStream()
    chatstream.owner_loader(lambda: "bench")
    app.register_blueprint(chatstream)
    WSGIServer(("127.0.0.1", arguments.port), app, log=None, backlog=4096).serve_forever()


if __name__ == "__main__":
    main()
