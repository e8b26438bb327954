"""The stub's side of the live wire: a stream, a poll, or what a test scripted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response, make_response, render_template, request, stream_with_context

from .state import Conversation, Stub


def add_wire(blueprint: Blueprint, stub: Stub) -> None:
    @blueprint.get("/c/<conversation_id>/events")
    def events(conversation_id: str) -> Response:
        stub.event_times.append(time.monotonic())
        conversation = stub.get(conversation_id)
        streams = "text/event-stream" in request.headers["Accept"]

        if stub.plays and streams:
            return stub.plays.pop(0)()

        if streams:
            return event_stream(_follow(stub, conversation, request.args.get("cursor", "")))

        return _batch(stub, conversation)


def _batch(stub: Stub, conversation: Conversation) -> Response:
    known = request.args.get("cursor", "")
    headers = {"X-Cursor": conversation.cursor}
    if conversation.running:
        headers["X-Next"] = "500"

    if "poll" in request.args:
        values = {"chat": stub.chat(), "conversation": conversation, "added": []}
        changed = conversation.messages if known != conversation.cursor else []

        return make_response(render_template("chatstream/_poll.html", changed=changed, **values))

    if known == conversation.cursor:
        headers.pop("X-Cursor")

        return Response(status=204, headers=headers)

    return Response(whole(stub, conversation), headers=headers)


def whole(stub: Stub, conversation: Conversation) -> str:
    """All messages as fragments."""

    return "".join(
        render_template("chatstream/_message.html", chat=stub.chat(csrf_token=""), message=message)
        for message in conversation.messages
    )


def _follow(stub: Stub, conversation: Conversation, cursor: str) -> Iterator[str]:
    yield ": " + " " * 2048 + "\n\n"
    yield f'event: hb\ndata: {{"now": {int(time.time() * 1000)}}}\n\n'

    while True:
        running = conversation.running
        if cursor != conversation.cursor:
            cursor = conversation.cursor
            yield event(whole(stub, conversation), cursor)
        if not running:
            break
        time.sleep(0.02)

    yield "event: end\ndata: \n\n"


def event(html: str, cursor: str) -> str:
    """One event of the wire."""

    data = "".join(f"data: {line}\n" for line in html.split("\n"))

    return f"id: {cursor}\n{data}\n"


def event_stream(parts: Iterator[str]) -> Response:
    return Response(stream_with_context(parts), mimetype="text/event-stream")
