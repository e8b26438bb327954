"""The openai SDK against a real server: answers, refusals, limits, secrets."""

from __future__ import annotations

import json
import logging
import ssl
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

import psutil
import pytest

from flask_chatstream.errors import ConfigurationError, ProviderError
from flask_chatstream.events import Event, Finished, ReasoningDelta, TextDelta, Usage
from flask_chatstream.providers import Cancellation, ChatMessage, ChatRequest, Timeouts
from flask_chatstream.providers.openai_chat import OpenAIChat
from tests.fakes.behaviour import Behaviour, expected_text
from tests.fakes.model_server import ModelServer
from tests.fakes.sockets import answering, refusing, silent, unreachable

CANARY = "sk-canary-0123456789abcdef"
#: Far from every default limit, and far enough from the tests' own for a busy machine.
SOON = 9.0
Kind = Literal["direct", "sdk"]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(params=["direct", "sdk"])
def transport(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param

    return kind


class Asker:
    """Makes a provider for a server, asks it, and closes it."""

    def __init__(self, transport: Kind) -> None:
        self._transport = transport
        self._made: list[OpenAIChat] = []

    def make(self, base_url: str, **options: Any) -> OpenAIChat:
        options = {"transport": self._transport, "api_key": CANARY, **options}
        self._made.append(OpenAIChat(base_url=base_url, **options))

        return self._made[-1]

    def ask(self, base_url: str, prompt: str = "hi", **options: Any) -> list[Event]:
        return list(self.stream(self.make(base_url, **options), prompt))

    def fail(self, base_url: str, prompt: str = "hi", **options: Any) -> ProviderError:
        with pytest.raises(ProviderError) as failure:
            self.ask(base_url, prompt, **options)

        return failure.value

    def stream(self, provider: OpenAIChat, prompt: str) -> Iterator[Event]:
        request = ChatRequest((ChatMessage("user", prompt),), "fake")

        return provider.stream(request, Cancellation())

    def close(self) -> None:
        for provider in self._made:
            provider.close()


@pytest.fixture
def asker(transport: Kind) -> Iterator[Asker]:
    asker = Asker(transport)
    yield asker
    asker.close()


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


@pytest.mark.parametrize("how", ["", "framing=length", "framing=close", "split=3", "rate=200"])
def test_an_answer(asker: Asker, server: ModelServer, how: str) -> None:
    events = asker.ask(server.base_url, f"hi [[tokens=30 reasoning=2 {how}]]")

    assert text_of(events) == expected_text(30)
    assert events[:2] == [ReasoningDelta("r0 "), ReasoningDelta("r1 ")]
    assert events[-2:] == [Usage(7, 32, 2, 0), Finished("stop", "fake")]


def test_what_the_server_is_asked(asker: Asker, server: ModelServer) -> None:
    request = ChatRequest(
        (ChatMessage("user", "a\ud83d"), ChatMessage("assistant", "b"), ChatMessage("user", "c")),
        "some-model",
        temperature=0.5,
        max_tokens=9,
        instructions="Be kind.",
        request_id="0a1b",
    )
    list(asker.make(server.base_url).stream(request, Cancellation()))
    call = server.calls[0]

    assert call.body == {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "a\ufffd"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 9,
    }
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    assert call.headers["accept-encoding"] == "identity"
    assert call.headers["x-client-request-id"] == "0a1b"


def test_usage_need_not_be_asked_for(asker: Asker, server: ModelServer) -> None:
    asker.ask(server.base_url, include_usage=False)

    assert "stream_options" not in server.calls[0].body


@pytest.mark.parametrize(
    ("directive", "code", "calls"),
    [
        ("status=400", "invalid_request", 1),
        ("status=401", "authentication", 1),
        ("status=403", "authentication", 1),
        ("status=404", "model_not_found", 1),
        ("status=404 body=<h1>", "configuration", 1),
        ("status=302 location=http://127.0.0.1:1/", "configuration", 1),
        ("status=429 retry_after=60", "rate_limited", 1),
        ("status=429 retry_after=0.01", "rate_limited", 3),
        ("status=500 retry_after=0.01", "provider", 3),
        ("status=503 retry_after=0.01", "overloaded", 3),
        ("status=529 retry_after=0.01", "overloaded", 3),
        ("body=<html>", "malformed", 1),
        ("tokens=5 finish=none", "incomplete", 1),
        ("tokens=5 error_after=2", "provider", 1),
        ("tokens=5 malformed_after=2", "malformed", 1),
        ("tokens=5 finish=error", "provider", 1),
        ("tokens=5 cut=600", "incomplete", 1),
        ("tokens=5 cut=600 cut_by=reset", "incomplete", 1),
        ("tokens=5 cut=600 framing=close", "incomplete", 1),
        ("tokens=5 cut=600 framing=length", "incomplete", 1),
    ],
)
def test_failures(asker: Asker, server: ModelServer, directive: str, code: str, calls: int) -> None:
    failure = asker.fail(server.base_url, f"[[{directive}]]")

    assert (failure.code, len(server.calls)) == (code, calls)
    assert CANARY not in "".join(traceback.format_exception(failure))
    if "retry_after=60" in directive:
        assert failure.retry_after == 60


def test_refused_twice_and_then_answered(asker: Asker, server: ModelServer) -> None:
    events = asker.ask(server.base_url, "[[status=429 retry_after=0.01 times=2 tokens=4]]")

    assert text_of(events) == expected_text(4)
    assert len(server.calls) == 3


def test_text_before_a_failure_is_given_out(asker: Asker, server: ModelServer) -> None:
    """F25."""

    for directive in ("error_after=3", "malformed_after=3", "finish=none tokens=3"):
        got = []
        with pytest.raises(ProviderError):
            for event in asker.stream(asker.make(server.base_url), f"[[{directive}]]"):
                got.append(event)

        assert text_of(got) == expected_text(3)


def test_cut_at_any_byte_is_finished_only_after_the_finish(
    asker: Asker, server: ModelServer
) -> None:
    """F24, over real sockets."""

    provider = asker.make(server.base_url)
    list(asker.stream(provider, "[[tokens=2]]"))
    size = server.calls[0].bytes_sent
    ends = []

    for cut in range(0, size, 9):
        try:
            list(asker.stream(provider, f"[[tokens=2 cut={cut}]]"))
            ends.append("finished")
        except ProviderError as failure:
            ends.append(failure.code)

    incomplete = ends.index("finished")
    assert set(ends[:incomplete]) == {"incomplete"}
    assert set(ends[incomplete:]) == {"finished"}


def test_usage_that_does_not_come_does_not_undo_the_finish(
    asker: Asker, server: ModelServer
) -> None:
    for directive in ("usage=no done=no", "usage=no", "done=no"):
        events = asker.ask(server.base_url, f"[[tokens=2 {directive}]]")
        assert events[-1] == Finished("stop", "fake")


def test_nobody_there(asker: Asker) -> None:
    assert asker.fail(f"http://127.0.0.1:{refusing()}/v1", max_retries=0).code == "connection"
    assert asker.fail("http://no-such-host.invalid/v1", max_retries=0).code == "connection"


def test_a_server_that_nobody_vouches_for(asker: Asker) -> None:
    trustme = pytest.importorskip("trustme")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    with ModelServer(tls=context) as server:
        failure = asker.fail(server.base_url, max_retries=0)

    assert failure.code == "connection"
    assert "certificate" in str(failure)


def test_connecting_has_its_limit(asker: Asker) -> None:
    with unreachable() as port:
        limits = Timeouts(connect=0.2)
        started = time.monotonic()
        failure = asker.fail(f"http://127.0.0.1:{port}/v1", timeouts=limits, max_retries=0)

    assert failure.code == "connection"
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize(
    ("directive", "limits", "tokens"),
    [
        ("stall=headers", Timeouts(first_token=0.3, idle=0.1), 0),
        ("stall=first", Timeouts(first_token=0.3, idle=0.3), 0),
        ("stall=mid tokens=4", Timeouts(first_token=0.4, idle=0.4), 2),
        ("rate=20 tokens=100", Timeouts(total=0.4), None),
        ("rate=20 tokens=100 split=1", Timeouts(first_token=0.4, idle=0.4, total=0.6), None),
    ],
)
def test_time_limits(
    asker: Asker, server: ModelServer, directive: str, limits: Timeouts, tokens: int | None
) -> None:
    """F23, F26; each limit on its own."""

    provider = asker.make(server.base_url, timeouts=limits, max_retries=0)
    got, started = [], time.monotonic()
    with pytest.raises(ProviderError) as failure:
        for event in asker.stream(provider, f"[[{directive}]]"):
            got.append(event)

    assert failure.value.code == "timeout"
    assert time.monotonic() - started < SOON
    assert tokens is None or text_of(got) == expected_text(tokens)
    assert server.calls[0].wait_closed(SOON) - started < SOON


def test_the_first_token_limit_spans_retries() -> None:
    asker = Asker("direct")
    started = time.monotonic()

    with silent() as port:
        limits = Timeouts(first_token=0.3)
        failure = asker.fail(f"http://127.0.0.1:{port}/v1", timeouts=limits)

    asker.close()
    assert failure.code == "timeout"
    assert time.monotonic() - started < SOON


def test_idle_is_shorter_than_first_token_on_our_transport(server: ModelServer) -> None:
    asker = Asker("direct")
    started = time.monotonic()
    limits = Timeouts(first_token=30, idle=0.3)
    failure = asker.fail(server.base_url, "[[stall=mid tokens=4]]", timeouts=limits)
    asker.close()

    assert failure.code == "timeout"
    assert time.monotonic() - started < SOON


def test_a_stream_without_end_is_given_up(
    asker: Asker, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F27, F30."""

    monkeypatch.setattr("flask_chatstream.providers.openai_chat.MAX_STREAM", 50_000)

    assert asker.fail(server.base_url, "[[tokens=1000]]").code == "limit"


def test_a_large_delta_comes_through(asker: Asker, server: ModelServer) -> None:
    large = "x" * 5_000_000
    server.enqueue(Behaviour(text=large))

    assert text_of(asker.ask(server.base_url)) == large


def test_a_compressed_stream_is_not_unpacked(asker: Asker) -> None:
    """F30: identity was asked for; a bomb stays what it is."""

    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\0"

    with answering(answer) as port:
        assert asker.fail(f"http://127.0.0.1:{port}/v1").code in {"incomplete", "malformed"}


def test_no_secret_in_what_is_said(
    asker: Asker, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    """S17; some providers repeat the key that they refuse."""

    caplog.set_level(logging.INFO)
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {CANARY}"}})
    server.enqueue(Behaviour(status=401, body=echo), Behaviour(body=echo))
    server.enqueue(Behaviour(raw=b"data: " + echo.encode() + b"\n\n"))
    provider = asker.make(server.base_url)

    for _ in range(3):
        with pytest.raises(ProviderError) as failure:
            list(asker.stream(provider, "hi"))
        said = "".join(traceback.format_exception(failure.value)) + repr(failure.value)
        assert "canary" not in said
        assert failure.value.__cause__ is None and failure.value.__context__ is None

    assert "canary" not in repr(provider) + str(provider) + caplog.text
    with pytest.raises(ConfigurationError) as refused:
        OpenAIChat(CANARY + "\n")
    assert "canary" not in "".join(traceback.format_exception(refused.value))


def test_an_address_with_a_password_is_not_shown() -> None:
    provider = OpenAIChat("k", "http://user:hunter2@127.0.0.1:1/v1")

    assert repr(provider) == "<OpenAIChat 127.0.0.1>"
    provider.close()


def test_settings_that_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        OpenAIChat()

    with pytest.raises(ConfigurationError, match="base_url"):
        OpenAIChat("k", "localhost:11434/v1")


def test_a_local_server_needs_no_key(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    provider = OpenAIChat()

    request = ChatRequest((ChatMessage("user", "hi"),), "fake")
    assert list(provider.stream(request, Cancellation()))[-1] == Finished("stop", "fake")
    provider.close()


def test_a_proxy_is_used_through_the_transport_that_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    with ModelServer() as server:
        # An absolute address in the request line is all that a plain proxy is asked with.
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        provider = OpenAIChat("k", "http://model.example/v1")
        assert not provider.is_direct
        request = ChatRequest((ChatMessage("user", "[[tokens=3]]"),), "fake")
        assert text_of(list(provider.stream(request, Cancellation()))) == expected_text(3)
        provider.close()

        monkeypatch.setenv("no_proxy", "model.example")
        provider = OpenAIChat("k", "http://model.example/v1")
        assert provider.is_direct
        provider.close()


def test_a_reader_that_stops_early_closes_the_connection(asker: Asker, server: ModelServer) -> None:
    stream = asker.stream(asker.make(server.base_url), "[[tokens=1000 rate=100]]")
    next(stream)
    stream.close()  # type: ignore[attr-defined]

    assert server.calls[0].wait_closed(2)


def test_no_descriptor_stays_open(asker: Asker, server: ModelServer) -> None:
    provider = asker.make(server.base_url, max_retries=0)
    directives = ["tokens=2", "status=500", "cut=300", "error_after=1", "body=<x>", "status=302"]

    def round_of_calls() -> int:
        for directive in directives:
            with suppress(ProviderError):
                list(asker.stream(provider, f"[[{directive}]]"))

        return psutil.Process().num_fds()

    before = round_of_calls()
    for _ in range(5):
        after = round_of_calls()

    # The server's side of a connection may lag behind by one or two.
    assert after <= before + 3
