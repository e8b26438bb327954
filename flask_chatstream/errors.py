"""Everything this package raises.

    ChatStreamError
    ├── ConfigurationError       the site's settings or set-up are wrong; raised at start
    ├── SchemaError              our tables are missing or behind; names the command that helps
    ├── StorageUnavailable       the database did not take or give what was asked; nothing is lost
    ├── RequestError             the request cannot be served as it stands
    │   ├── InvalidRequest       400: a field is missing, too long or of the wrong kind
    │   ├── SignInRequired       401: nobody is signed in and the site admits no anonymous chats
    │   ├── Refused              403: cross-site request, or the site's ``authorize`` said no
    │   ├── NotFound             404: no such object, or it is somebody else's
    │   ├── Conflict             409: another state holds, e.g. an answer is being written
    │   ├── TooManyRequests      429: with ``retry_after`` in seconds
    │   ├── ShuttingDown         503: this process is draining; with ``retry_after`` in seconds
    │   └── StreamsTaken         503: nobody more may wait for text here; polling works
    └── ProviderError            the provider failed; ``code`` is public, the text is not

A provider's failure is apart from a site's mistake, so that catching one never hides the other.
"""

from __future__ import annotations


def N_(words: str) -> str:
    """Words for people, marked for the catalogues; they are translated where they are shown."""

    return words


class ChatStreamError(Exception):
    """Base of every error of this package."""


class ConfigurationError(ChatStreamError):
    """A setting or the set-up is wrong. The message names it and what is allowed."""


class SchemaError(ChatStreamError):
    """Our tables are missing or not at the newest revision."""


class StorageUnavailable(ChatStreamError):
    """The database is locked, full, read-only or away. Trying again later may help."""


class RequestError(ChatStreamError):
    """A request that cannot be served; ``status`` is its HTTP status, ``code`` its public name.

    ``message`` is English. ``words`` and ``values`` are what it was made from, to be said in other
    languages.
    """

    status = 400
    code = "invalid_request"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after: int | None = None,
        **values: int,
    ):
        self.words, self.values = message, values
        self.message = message % {k: f"{v:,}" for k, v in values.items()} if values else message
        super().__init__(self.message)
        self.code = code or type(self).code
        self.retry_after = retry_after


class InvalidRequest(RequestError):
    """A field is missing, too long or of the wrong kind."""


class SignInRequired(RequestError):
    """Nobody is signed in, and the site admits no anonymous chats."""

    status = 401
    code = "sign_in_required"


class Refused(RequestError):
    """The request came from another site, or the site's own rule says no."""

    status = 403
    code = "refused"


class NotFound(RequestError):
    """There is no such object for this owner. Foreign and missing are the same answer (S07)."""

    status = 404
    code = "not_found"

    def __init__(self, message: str = N_("There is no such conversation or message.")):
        super().__init__(message)


class Conflict(RequestError):
    """The object is in a state in which this cannot be done."""

    status = 409
    code = "conflict"


class TooManyRequests(RequestError):
    """A limit is reached; ``retry_after`` says in seconds when it is worth trying again."""

    status = 429
    code = "rate_limited"


class ShuttingDown(RequestError):
    """This process is finishing its answers and takes no new ones."""

    status = 503
    code = "shutting_down"


class StreamsTaken(RequestError):
    """Nobody more may wait for text in this process, or its server lets nobody; polling works."""

    status = 503
    code = "streams_taken"


#: Every public code of a failed answer, with the words that the person reads (S17).
PROVIDER_CODES = {
    "abandoned": N_("Nobody was watching, so the answer was stopped."),
    "authentication": N_("The site's key for the model was not accepted."),
    "configuration": N_("The model is not set up on this site."),
    "connection": N_("The model could not be reached."),
    "content_filter": N_("The model's provider refused to answer this."),
    "context_length": N_("The conversation is too long for the model."),
    "empty": N_("The model gave an empty answer."),
    "incomplete": N_("The model's answer broke off."),
    "internal": N_("Something went wrong on this site."),
    "interrupted": N_("The answer was interrupted when the server stopped."),
    "invalid_request": N_("The model did not accept the request."),
    "limit": N_("The answer became too long."),
    "malformed": N_("The model's answer could not be read."),
    "model_not_found": N_("The model is not available."),
    "overloaded": N_("The model is overloaded."),
    "provider": N_("The model's provider had a failure."),
    "queue": N_("The answer could not be started."),
    "quota": N_("The site's allowance with the model's provider is used up."),
    "rate_limited": N_("The model gets too many requests just now."),
    "storage": N_("The answer could not be saved."),
    "timeout": N_("The model took too long."),
}


class ProviderError(ChatStreamError):
    """The provider failed.

    ``code`` is one of `PROVIDER_CODES` and may be shown; the exception's text is for the log
    only and never stored or sent (S17). ``retryable`` says that the same request may succeed
    later, ``retry_after`` in how many seconds at the earliest, when the provider said so.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ):
        if code not in PROVIDER_CODES:
            raise ValueError(f"unknown provider error code {code!r}")

        super().__init__(detail or PROVIDER_CODES[code])
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
