"""What a request may ask for, checked; the page's forms and the API go through here."""

from __future__ import annotations

from dataclasses import replace

from flask_chatstream.access import request_values
from flask_chatstream.conversations import Ask, Asked, Turn, check_key, check_question, get_message
from flask_chatstream.errors import N_, InvalidRequest
from flask_chatstream.models import Message
from flask_chatstream.submit import submit

from .visit import Visit


def send(visit: Visit, wanted: Ask) -> Asked:
    """Store what a request asks and have it answered."""

    is_watched = visit.state.settings.abandon_seconds is not None

    return submit(visit.state, replace(wanted, is_watched=is_watched), request_values()["id"])


def question(visit: Visit, text: object, conversation_id: str | None, key: str | None) -> Ask:
    """A person's question as an `Ask`."""

    cleaned = check_question(text, visit.state.settings.max_message_chars)

    return Ask(
        owner=visit.owner,
        mount=visit.mount,
        turns=(Turn("user", cleaned),),
        conversation_id=conversation_id,
        key=check_key(key),
    )


def again(visit: Visit, message_id: str, key: str | None) -> Ask:
    """A new answer beside an answer, as an `Ask`."""

    message = _answer(visit, message_id, N_("Only an answer can be written again."))

    return _beside(visit, message, key)


def rest(visit: Visit, message_id: str, key: str | None) -> Ask:
    """The rest of an answer that broke off, as an `Ask`."""

    message = _answer(visit, message_id, N_("Only an answer can be continued."))

    return replace(_beside(visit, message, key), answer_id=message.id, continues=True)


def _beside(visit: Visit, message: Message, key: str | None) -> Ask:
    return Ask(
        owner=visit.owner,
        mount=visit.mount,
        conversation_id=message.conversation_id,
        parent_id=message.parent_id,
        key=check_key(key),
    )


def _answer(visit: Visit, message_id: str, refusal: str) -> Message:
    with visit.state.database.read() as session:
        message = get_message(session, visit.owner, visit.mount, message_id)

    if message.role != "assistant" or message.parent_id is None:
        raise InvalidRequest(refusal)

    return message
