"""A site that uses every public name, for the type checkers; nobody runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, assert_type

from flask import Flask, Response, jsonify, session

from flask_chatstream import (
    Answer,
    ChatStream,
    ChatStreamError,
    Conversation,
    Generation,
    Message,
    RequestError,
    TooManyRequests,
    chatstream,
    conversation_created,
    generation_failed,
)
from flask_chatstream.events import Event, Finished, TextDelta, Usage
from flask_chatstream.providers import Cancellation, ChatRequest, Provider
from flask_chatstream.testing import Pause, ScriptedProvider, scripted


class Parrot:
    """A provider of the site's own."""

    name = "parrot"

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        for message in request.messages:
            with cancellation.on_cancel(lambda: None):
                yield TextDelta(message.content)

        yield Usage(input_tokens=1, output_tokens=2)
        yield Finished("stop")


support = ChatStream("support", url_prefix="/help", provider=Parrot(), instructions="Be brief.")
scripted_support = ChatStream("tests", provider=ScriptedProvider())


@chatstream.owner_loader
def owner() -> str | None:
    member: str | None = session.get("member")

    return member


@chatstream.context
def manual(question: str, owner: str) -> str | None:
    return f"{owner} asks: {question}" if question else None


@support.provider("parrot")
def make_parrot() -> Provider:
    return Parrot()


@conversation_created.connect
def hear(app: Flask, *, conversation_id: str, owner: str, **more: object) -> None:
    app.logger.info("%s: %s", owner, conversation_id)


def hear_failure(app: Flask, *, error_code: str | None, **more: object) -> None:
    app.logger.warning("%s", error_code)


def create_app() -> Flask:
    app = Flask(__name__)
    app.register_blueprint(chatstream)
    app.register_blueprint(support)
    generation_failed.connect(hear_failure, sender=app)

    return app


def summary() -> Response:
    try:
        answer = support.ask("Summarise.", owner="user:1", key="daily", title="Report")
    except TooManyRequests as error:
        assert_type(error.retry_after, int | None)
        raise
    except RequestError as error:
        assert_type(error.status, int)
        return jsonify(code=error.code, message=error.message)
    except ChatStreamError:
        return jsonify(code="unavailable")

    return jsonify(_read(answer))


def _read(answer: Answer) -> dict[str, str | None]:
    assert_type(answer.status, Literal["generating", "completed", "error", "cancelled"])
    assert_type(answer.generation_id, int)
    assert_type(answer.stream(timeout=1.5), Iterator[str])
    assert_type(answer.wait(5), Answer)
    answer.stop()

    return {"text": answer.text, "error": answer.error_code, "id": answer.message_id}


def rows(conversation: Conversation, message: Message, generation: Generation) -> None:
    assert_type(conversation.title, str)
    assert_type(message.content, str)
    assert_type(message.parent_id, str | None)
    assert_type(generation.id, int)


def test_help(app: Flask, chatstream_answers: Callable[..., list[Answer]]) -> None:
    gate = Pause()

    with scripted(app) as chat:
        chat.provider.enqueue("One, ", gate, 0.5, TextDelta("two."), ValueError("broken"))
        gate.release()
        assert_type(chat.answers(), list[Answer])
        assert_type(chat.provider.requests, list[ChatRequest])
