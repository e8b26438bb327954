"""The httpx client that the openai SDK is given: which httpx, which transport, which hooks."""

from __future__ import annotations

import ssl
import sys
from types import ModuleType
from typing import Any

from .chat_errors import retry_after
from .exchange import current_exchange
from .transport import make_transport

#: The SDK sleeps as long as a provider asks for, up to two minutes; a person rather hears of it.
_LONGEST_RETRY_SLEEP = 4.0


def find_httpx(sdk: Any) -> ModuleType:
    """The module that the SDK is built on: ``httpx``, or ``httpx2`` since its version 3."""

    client = next(c for c in sdk.DefaultHttpxClient.__mro__ if c.__name__ == "Client")

    return sys.modules[client.__module__.partition(".")[0]]


def make_http_client(sdk: Any, is_direct: bool, context: ssl.SSLContext | None) -> Any:
    """A client that follows no redirect, with our own transport or the SDK's (F30)."""

    httpx: Any = find_httpx(sdk)
    hooks = {"request": [_before_request], "response": [_after_head]}

    if is_direct:
        return httpx.Client(
            transport=make_transport(httpx, context),
            event_hooks=hooks,
            follow_redirects=False,
            trust_env=False,
        )

    return sdk.DefaultHttpxClient(
        event_hooks=hooks,
        follow_redirects=False,
        # A connection of the pool tells nobody its socket before the head has come.
        limits=httpx.Limits(max_keepalive_connections=0),
        verify=True if context is None else context,
    )


def _before_request(request: Any) -> None:
    exchange = current_exchange.get()
    if exchange is None:
        return

    exchange.check()

    def trace(name: str, info: dict[str, Any]) -> None:
        stream = info.get("return_value")
        if name.endswith((".connect_tcp.complete", ".start_tls.complete")) and stream is not None:
            exchange.hold(stream.get_extra_info("socket"))

    request.extensions["trace"] = trace


def _after_head(response: Any) -> None:
    seconds = retry_after(response.headers)

    if seconds is not None and seconds > _LONGEST_RETRY_SLEEP:
        response.headers["x-should-retry"] = "false"
