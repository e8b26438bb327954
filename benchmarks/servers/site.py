"""The site around the chat that is measured, and its command line."""

from __future__ import annotations

import argparse

from flask import Flask

from flask_chatstream import ChatStream


def parse(description: str | None) -> argparse.ArgumentParser:
    """The options that all servers with the chat take."""

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--upstream", type=int, default=0)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--database")
    parser.add_argument("--durability", default="process")
    parser.add_argument("--window", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--wake", default="database")
    parser.add_argument("--redis")
    parser.add_argument("--journal", default="on")
    parser.add_argument("--handler", default="ours")

    return parser


def make_app(arguments: argparse.Namespace) -> Flask:
    """A site with nothing but the chat, whose visitors are all one owner."""

    app = Flask(__name__, instance_path=arguments.folder)
    app.config.update(
        SECRET_KEY="bench",
        CHATSTREAM_PROVIDER="openai",
        CHATSTREAM_MODEL="bench",
        CHATSTREAM_OPENAI_API_KEY="bench",
        CHATSTREAM_OPENAI_BASE_URL=f"http://127.0.0.1:{arguments.upstream}/v1",
        CHATSTREAM_DURABILITY=arguments.durability,
        CHATSTREAM_COMMIT_WINDOW_MS=arguments.window,
        CHATSTREAM_WAKE=arguments.wake,
        CHATSTREAM_REDIS_URL=arguments.redis,
        CHATSTREAM_AUTO_UPGRADE=True,
        CHATSTREAM_DATABASE_URI=arguments.database,
        CHATSTREAM_MAX_ANSWER_CHARS=10_000_000,
    )
    chatstream = ChatStream()
    chatstream.owner_loader(lambda: "bench")
    app.register_blueprint(chatstream)

    return app
