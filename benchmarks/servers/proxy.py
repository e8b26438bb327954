"""A proxy that stores nothing: gevent, the openai SDK's own stream objects, one frame a token."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import json
from collections.abc import Iterator

import openai
from flask import Flask, Response, request
from gevent.pywsgi import WSGIServer


def main() -> None:
    """Serve until the process is ended."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    arguments, _ = parser.parse_known_args()
    client = openai.OpenAI(
        base_url=f"http://127.0.0.1:{arguments.upstream}/v1", api_key="bench", max_retries=0
    )
    app = Flask(__name__)

    @app.post("/chat")
    def chat() -> Response:
        question = request.get_json()["message"]

        return Response(frames(client, question), mimetype="text/event-stream")

    WSGIServer(("127.0.0.1", arguments.port), app, log=None, backlog=4096).serve_forever()


def frames(client: openai.OpenAI, question: str) -> Iterator[bytes]:
    """The answer as events."""

    stream = client.chat.completions.create(
        model="bench", stream=True, messages=[{"role": "user", "content": question}]
    )

    for part in stream:
        if part.choices and part.choices[0].delta.content:
            yield (
                b"data: " + json.dumps({"delta": part.choices[0].delta.content}).encode() + b"\n\n"
            )


if __name__ == "__main__":
    main()
