"""Chat completions through the openai SDK, against any server that speaks them.

The request, its retries and its errors are the SDK's. The stream is decoded by `chat_decoder`: the
SDK's objects cost more per chunk than everything else together.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from flask_chatstream.cleaning import clean
from flask_chatstream.errors import ConfigurationError, ProviderError
from flask_chatstream.events import Event

from .base import Cancellation, Cancelled, ChatRequest, Timeouts
from .chat_decoder import ChatDecoder
from .chat_errors import error_from_status, scrub
from .exchange import BrokenOff, Exchange, current_exchange
from .sdk_client import find_httpx, make_http_client

#: A stream may not be longer, in bytes (F27, F30).
MAX_STREAM = 128 * 1024 * 1024

_DEFAULT_ADDRESS = "https://api.openai.com/v1"


class OpenAIChat:
    """A provider for OpenAI and every server that is shaped like it::

        OpenAIChat(api_key="…")
        OpenAIChat(base_url="http://localhost:11434/v1")

    What is not given comes from the SDK's environment variables. ``transport`` is "direct" (our
    own), "sdk" (the SDK's, which knows proxies) or "auto": direct where no proxy is set.
    ``ssl_context`` is for servers with certificates of their own, ``include_usage=False`` for
    those that refuse to be asked for token counts.

    Raises `ConfigurationError` when there is neither a key nor an address.
    """

    name = "openai"

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeouts: Timeouts | None = None,
        max_retries: int = 2,
        transport: Literal["auto", "direct", "sdk"] = "auto",
        ssl_context: ssl.SSLContext | None = None,
        include_usage: bool = True,
    ):
        import openai

        given = base_url or os.environ.get("OPENAI_BASE_URL")
        key = api_key or os.environ.get("OPENAI_API_KEY") or ("none" if given else "")
        address = given or _DEFAULT_ADDRESS
        _check(key, address)

        self._sdk: Any = openai
        self._httpx: Any = find_httpx(openai)
        self._address = urlsplit(address)
        self._timeouts = timeouts or Timeouts()
        self._include_usage = include_usage
        self._secrets = (key, self._address.password or "")
        self.is_direct = transport == "direct" or (transport == "auto" and not self._has_proxy())
        self._client: Any = openai.OpenAI(
            api_key=key,
            base_url=address,
            max_retries=max_retries,
            timeout=_sdk_timeout(openai, self._timeouts),
            default_headers={"Accept-Encoding": "identity"},
            http_client=make_http_client(openai, self.is_direct, ssl_context),
        )

    def __repr__(self) -> str:
        return f"<OpenAIChat {self._address.hostname}>"

    def close(self) -> None:
        """Close what the SDK holds; the provider is done."""

        self._client.close()

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        """The answer's events; raises `ProviderError` and `Cancelled`."""

        cancellation.raise_if_cancelled()
        exchange = Exchange(cancellation, self._timeouts)

        try:
            yield from self._stream(request, exchange)
            return
        except (BrokenOff, self._sdk.OpenAIError, self._httpx.HTTPError) as error:
            failure = self._failure(error, exchange)

        # Out here the SDK's error is no context of ours: its text may repeat the key (S17).
        raise failure

    def _stream(self, request: ChatRequest, exchange: Exchange) -> Iterator[Event]:
        decoder = ChatDecoder(self._secrets)
        size = 0

        with self._response(request, exchange) as response:
            try:
                for data in response.iter_raw():
                    size += len(data)
                    if size > MAX_STREAM:
                        raise ProviderError("limit", "the stream is too long")

                    yield from decoder.feed(data)
                    if decoder.over:
                        break

                    self._set_limit(exchange, decoder)
            except (BrokenOff, self._httpx.HTTPError):
                # The model has said that it is done; only usage did not come.
                if exchange.cancelled or not decoder.finished:
                    raise

        yield from decoder.close()

    def _set_limit(self, exchange: Exchange, decoder: ChatDecoder) -> None:
        if decoder.finished:
            exchange.finish()
        elif decoder.started:
            exchange.begin()

        if not self.is_direct:
            exchange.check()

    @contextmanager
    def _response(self, request: ChatRequest, exchange: Exchange) -> Iterator[Any]:
        with ExitStack() as stack:
            stack.callback(exchange.let_go)
            token = current_exchange.set(exchange)
            try:
                answer = stack.enter_context(self._post(request))
            finally:
                current_exchange.reset(token)

            # Again, for it must come before the response's own exit, which closes the socket.
            stack.callback(exchange.let_go)
            yield answer.response

    def _post(self, request: ChatRequest) -> Any:
        """The SDK's stream, of which only the response is used.

        Not by ``chat.completions.create``, which error trackers wrap: when it fails they send away
        the variables of its frames, and with them the conversation.
        """

        return self._client.post(
            "/chat/completions",
            cast_to=object,
            body=self._arguments(request),
            options={"headers": _headers(request)},
            stream=True,
            stream_cls=self._sdk.Stream[Any],
        )

    def _arguments(self, request: ChatRequest) -> dict[str, Any]:
        messages = [{"role": m.role, "content": clean(m.content)} for m in request.messages]
        if request.instructions:
            messages.insert(0, {"role": "system", "content": clean(request.instructions)})

        arguments = {"model": clean(request.model), "messages": messages, "stream": True}
        if self._include_usage:
            arguments["stream_options"] = {"include_usage": True}

        if request.temperature is not None:
            arguments["temperature"] = request.temperature

        if request.max_tokens is not None:
            # OpenAI's newer models refuse the old name, other servers do not know the new one.
            is_own = f"{self._address.hostname}".endswith(".openai.com")
            arguments["max_completion_tokens" if is_own else "max_tokens"] = request.max_tokens

        return arguments

    def _failure(self, error: BaseException, exchange: Exchange) -> Exception:
        sdk, httpx = self._sdk, self._httpx

        if exchange.cancelled:
            return Cancelled()

        if isinstance(error, sdk.APIStatusError):
            headers = error.response.headers
            return error_from_status(error.status_code, error.body, headers, self._secrets)

        # The SDK wraps httpx's errors up to the headers; the body's come as they are.
        cause = error if isinstance(error, httpx.HTTPError) else error.__cause__ or error
        detail = scrub(f"{type(cause).__name__}: {cause}", self._secrets)
        code = "provider"

        if isinstance(cause, httpx.ConnectTimeout):
            code = "connection"
        elif exchange.expired or isinstance(cause, httpx.TimeoutException):
            code = "timeout"
        elif isinstance(error, sdk.APIConnectionError):
            code = "connection"
        elif isinstance(error, httpx.HTTPError):
            code = "incomplete"

        return ProviderError(code, detail, retryable=True)

    def _has_proxy(self) -> bool:
        proxies = getproxies()
        host = self._address.hostname or ""

        return bool(
            (proxies.get(self._address.scheme) or proxies.get("all")) and not proxy_bypass(host)
        )


def _headers(request: ChatRequest) -> dict[str, str]:
    id = request.request_id

    return {"X-Client-Request-Id": id} if id.isascii() and id.isalnum() else {}


def _check(key: str, address: str) -> None:
    if not key:
        raise ConfigurationError(
            "OpenAIChat needs an api_key or a base_url; OPENAI_API_KEY is not set either."
        )

    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError("The api_key holds characters that no key has.")

    if urlsplit(address).scheme not in ("http", "https"):
        raise ConfigurationError("The base_url must begin with http:// or https://.")


def _sdk_timeout(openai: Any, timeouts: Timeouts) -> Any:
    # The SDK has one limit for every read; where the transport is ours, `Exchange` is exact.
    longest = max(timeouts.first_token, timeouts.idle)

    return openai.Timeout(
        connect=timeouts.connect, read=longest, write=longest, pool=timeouts.connect
    )
