"""A complete AI chat for any Flask site, in two lines.

from flask_chatstream import chatstream
app.register_blueprint(chatstream)          # then {{ chatstream_widget() }} in any template
"""

from .answer import Answer
from .blueprint import ChatStream
from .conversations import Deleted
from .errors import (
    ChatStreamError,
    ConfigurationError,
    Conflict,
    InvalidRequest,
    NotFound,
    ProviderError,
    Refused,
    RequestError,
    SchemaError,
    ShuttingDown,
    SignInRequired,
    StorageUnavailable,
    StreamsTaken,
    TooManyRequests,
)
from .generation import drain
from .models import Conversation, Generation, Message
from .signals import (
    conversation_created,
    generation_failed,
    generation_finished,
    generation_started,
    message_created,
    reaction_changed,
)

#: The ready-made chat, for sites that have one.
chatstream = ChatStream()

__all__ = [
    "Answer",
    "ChatStream",
    "ChatStreamError",
    "ConfigurationError",
    "Conflict",
    "Conversation",
    "Deleted",
    "Generation",
    "InvalidRequest",
    "Message",
    "NotFound",
    "ProviderError",
    "Refused",
    "RequestError",
    "SchemaError",
    "ShuttingDown",
    "SignInRequired",
    "StorageUnavailable",
    "StreamsTaken",
    "TooManyRequests",
    "chatstream",
    "conversation_created",
    "drain",
    "generation_failed",
    "generation_finished",
    "generation_started",
    "message_created",
    "reaction_changed",
]
