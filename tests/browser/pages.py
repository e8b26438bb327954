"""The stub's pages, and the acts of a person on them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from flask import (
    Blueprint,
    Response,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from .state import Conversation, Message, Stub


def add_pages(blueprint: Blueprint, stub: Stub) -> None:
    def page(conversation: Conversation) -> str:
        view = request.args.get("view", "page")
        template = "page" if view == "page" else "_conversation"
        listed = list(reversed(stub.conversations.values()))
        for item in listed:
            item.active = item.id == conversation.id

        return render_template(
            f"chatstream/{template}.html",
            chat=stub.chat(view),
            conversation=conversation,
            conversations=listed,
            next_cursor=None,
        )

    @blueprint.get("/")
    def index() -> str:
        newest = [] if "new" in request.args else list(stub.conversations.values())

        return page(newest[-1] if newest else Conversation())

    @blueprint.get("/c/<conversation_id>")
    def conversation(conversation_id: str) -> str:
        return page(stub.get(conversation_id))

    @blueprint.get("/list")
    def list_conversations() -> str:
        listed = list(reversed(stub.conversations.values()))

        return render_template(
            "chatstream/_conversations.html",
            chat=stub.chat(),
            conversations=listed,
            next_cursor=None,
        )

    @blueprint.get("/c/<conversation_id>/older")
    def older(conversation_id: str) -> str:
        earlier = Conversation(conversation_id)
        earlier.add("user", "An earlier question")

        return render_template("chatstream/_older.html", chat=stub.chat(), conversation=earlier)

    @blueprint.get("/token")
    def token() -> dict[str, str]:
        return {"csrf_token": stub.csrf_token}

    @blueprint.get("/error")
    def error() -> str:
        problem = {
            "status": 413,
            "code": "too_long",
            "message": "The message is longer than 2,000 characters.",
        }

        return render_template(
            "chatstream/error.html",
            chat=stub.chat(),
            error=problem,
            content="My long question",
            action=url_for(".start"),
        )


def add_acts(blueprint: Blueprint, stub: Stub) -> None:
    def refused() -> Response | None:
        if stub.csrf_token and request.headers.get("X-CSRFToken") != stub.csrf_token:
            return _refusal(400, "csrf", "The page was open for too long.", 0)

        return _refusal(*stub.refusals.pop(0)) if stub.refusals else None

    def ask_in(conversation: Conversation) -> Response:
        stub.before_asking()
        first = len(conversation.messages)
        conversation.add("user", request.form["content"])
        answer = conversation.add("assistant", status="generating")
        if stub.answers:
            threading.Thread(target=stub.answers, args=(conversation, answer), daemon=True).start()

        return _accepted(stub, conversation, answer, conversation.messages[first:])

    @blueprint.post("/c")
    def start() -> Response:
        return refused() or ask_in(stub.conversation(request.form["content"][:40]))

    @blueprint.post("/c/<conversation_id>/messages")
    def ask(conversation_id: str) -> Response:
        return refused() or ask_in(stub.get(conversation_id))

    @blueprint.post("/c/<conversation_id>/delete")
    def delete(conversation_id: str) -> Response:
        if refusal := refused():
            return refusal

        stub.conversations.pop(conversation_id)

        if "HX-Request" in request.headers:
            return Response(status=204)

        return make_response(redirect(url_for(".index")))

    @blueprint.post("/m/<message_id>/cancel")
    def cancel(message_id: str) -> Response:
        conversation, message = stub.message(message_id)
        if refusal := refused():
            return refusal

        message.status = "cancelled"
        conversation.version += 1

        return _accepted(stub, conversation, message, [])

    @blueprint.post("/m/<message_id>/regenerate")
    def regenerate(message_id: str) -> Response:
        conversation, message = stub.message(message_id)
        if refusal := refused():
            return refusal

        message.status, message.blocks = "generating", []
        conversation.version += 1
        if stub.answers:
            threading.Thread(target=stub.answers, args=(conversation, message), daemon=True).start()

        return _accepted(stub, conversation, message, [])


def _refusal(status: int, code: str, words: str, retry_after: int) -> Response:
    problem = {"code": code, "message": words, "retry_after": retry_after}

    if "HX-Request" in request.headers and "live" not in request.form:
        return make_response(
            render_template("chatstream/_refusal.html", error=problem, oob="outerHTML")
        )

    return make_response(render_template("chatstream/_error.html", error=problem), status)


def _accepted(
    stub: Stub, conversation: Conversation, answer: Message, added: Sequence[Message]
) -> Response:
    id = conversation.id
    page = url_for(".conversation", conversation_id=id)

    if "HX-Request" not in request.headers:
        return make_response(redirect(page, 303))

    if not request.form.get("live"):
        return make_response(
            render_template(
                "chatstream/_sent.html", chat=stub.chat(), conversation=conversation, added=added
            )
        )

    return Response(
        status=204,
        headers={
            "X-Conversation": id or "",
            "X-Location": page,
            "X-Events": url_for(".events", conversation_id=id),
            "X-Messages-Url": url_for(".ask", conversation_id=id),
            "X-Message": answer.id,
        },
    )
