"""What most people write: for every token ``message.content += token; db.session.commit()``.

Flask, gevent, flask-sqlalchemy on SQLite in WAL mode with ``synchronous=NORMAL``, and the openai
SDK's stream objects; the answer goes out in the request that asked for it.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import json
from collections.abc import Iterator

import openai
from flask import Flask, Response, request, stream_with_context
from flask_sqlalchemy import SQLAlchemy
from gevent.pywsgi import WSGIServer
from sqlalchemy import event

db = SQLAlchemy()


class Answer(db.Model):  # type: ignore[name-defined,misc]
    """An answer that grows."""

    id = db.Column(db.Integer, primary_key=True)
    content = db.Column(db.Text, default="")


def main() -> None:
    """Serve until the process is ended."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--folder", required=True)
    arguments, _ = parser.parse_known_args()
    client = openai.OpenAI(
        base_url=f"http://127.0.0.1:{arguments.upstream}/v1", api_key="bench", max_retries=0
    )
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{arguments.folder}/naive.sqlite3"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 500, "connect_args": {"timeout": 60}}
    db.init_app(app)

    with app.app_context():
        event.listen(db.engine, "connect", _prepare)
        db.create_all()

    @app.post("/chat")
    def chat() -> Response:
        question = request.get_json()["message"]

        return Response(stream_with_context(frames(client, question)), mimetype="text/event-stream")

    WSGIServer(("127.0.0.1", arguments.port), app, log=None, backlog=4096).serve_forever()


def _prepare(connection: object, record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
    connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[attr-defined]


def frames(client: openai.OpenAI, question: str) -> Iterator[bytes]:
    """The answer as events, each committed before it is sent."""

    answer = Answer(content="")
    db.session.add(answer)
    db.session.commit()
    stream = client.chat.completions.create(
        model="bench", stream=True, messages=[{"role": "user", "content": question}]
    )

    for part in stream:
        if part.choices and part.choices[0].delta.content:
            answer.content += part.choices[0].delta.content
            db.session.commit()
            yield (
                b"data: " + json.dumps({"delta": part.choices[0].delta.content}).encode() + b"\n\n"
            )


if __name__ == "__main__":
    main()
