"""What the API accepts: typed, with every field named; anything else is refused (S13)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from flask import request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from flask_chatstream.errors import InvalidRequest, RequestError
from flask_chatstream.state import get_state


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")

    return value


Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Title = Annotated[str, Field(max_length=255), AfterValidator(_without_nul)]
Model = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_without_nul)]
Details = dict[str, Any]

#: Largest ``metadata`` that is stored with a conversation or message, in bytes of JSON.
MAX_DETAILS_BYTES = 16_384
#: Room for the JSON around the text of a body, in bytes.
BODY_MARGIN = 65_536
#: Most earlier turns that one request may bring along, as multiples of the longest message.
BODY_MESSAGES = 8


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)

    metadata: Details | None = None

    @field_validator("metadata")
    @classmethod
    def _small(cls, value: Details | None) -> Details | None:
        if value is not None and len(json.dumps(value, allow_nan=False)) > MAX_DETAILS_BYTES:
            raise ValueError(f"must be at most {MAX_DETAILS_BYTES} bytes of JSON")

        return value


class TurnBody(BaseModel):
    """One message of an OpenAI-shaped list."""

    model_config = ConfigDict(extra="ignore", strict=True)

    role: Literal["user", "assistant", "system"]
    content: str


class ChatBody(Body):
    """``POST /chat``: a message, or a list whose last turn is the question."""

    message: str | None = None
    messages: list[TurnBody] | None = None
    conversation_id: Id | None = None
    model: Model | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    stream: bool = True

    @field_validator("temperature", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        is_whole = isinstance(value, int) and not isinstance(value, bool)

        return float(value) if is_whole else value  # type: ignore[arg-type]

    @model_validator(mode="after")
    def _one_question(self) -> ChatBody:
        if (self.message is None) == (self.messages is None):
            raise ValueError("give either message or messages")

        if self.messages is not None and (not self.messages or self.messages[-1].role != "user"):
            raise ValueError("messages must end with a user's turn")

        return self


class ConversationBody(Body):
    """``POST /conversations``."""

    title: Title | None = None
    model: Model | None = None
    context_window: Annotated[int, Field(gt=0)] | None = None


class RenameBody(BaseModel):
    """``PATCH /conversations/<id>``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[Title, Field(min_length=1)]


class MessageBody(Body):
    """``POST /conversations/<id>/messages``."""

    role: Literal["user", "assistant", "system"] = "user"
    content: str
    parent_id: Id | None = None
    generate: bool = False

    @model_validator(mode="after")
    def _answerable(self) -> MessageBody:
        if self.generate and self.role != "user":
            raise ValueError("only a user's message can be answered")

        return self


B = TypeVar("B", bound=BaseModel)


def load_body(kind: type[B]) -> B:
    """The request's JSON body; raises `InvalidRequest` naming the field that is wrong."""

    limit = get_state().settings.max_message_chars * 4 * BODY_MESSAGES + BODY_MARGIN

    data = request.stream.read(limit + 1)

    if len(data) > limit:
        raise RequestTooLarge(f"The body is larger than {limit:,} bytes.")

    try:
        return kind.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise InvalidRequest(_in_words(error)) from error


class RequestTooLarge(RequestError):
    """The body is larger than any message may be."""

    status = 413
    code = "too_large"


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    what = first["msg"].removeprefix("Value error, ")

    if first["type"] == "json_invalid":
        return "The body is not valid JSON."

    return f"{place}: {what}." if place else f"{what[:1].upper()}{what[1:]}."
