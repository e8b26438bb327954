"""Recorded streams of many providers, cut anywhere, against a plain reading of their JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_chatstream.errors import ProviderError
from flask_chatstream.events import (
    Event,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)
from flask_chatstream.providers.chat_decoder import ChatDecoder

Corpora = Callable[[str], Path]
DONE = b"data: [DONE]\n\n"


def decode(pieces: Iterable[bytes], secrets: tuple[str, ...] = ()) -> list[Event]:
    decoder, events = ChatDecoder(secrets), []
    for piece in pieces:
        events += decoder.feed(piece)
        if decoder.over:
            break

    return [*events, *decoder.close()]


def until_failure(pieces: Iterable[bytes]) -> tuple[list[Event], str]:
    """The events before a failure, and its code."""

    decoder, events = ChatDecoder(), []
    for piece in pieces:
        events += decoder.feed(piece)
        if decoder.over:
            break

    try:
        for event in decoder.close():
            events.append(event)
    except ProviderError as failure:
        return events, failure.code

    return events, ""


def sse(*payloads: object) -> bytes:
    return b"".join(b"data: " + json.dumps(p).encode() + b"\n\n" for p in payloads)


def chunk(finish: str | None = None, **delta: object) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def text_of(events: Iterable[Event], kind: type = TextDelta) -> str:
    return "".join(e.text for e in events if type(e) is kind)  # type: ignore[union-attr]


def read_transcripts(corpora: Corpora) -> dict[str, bytes]:
    root = corpora("providers")
    rows = json.loads((root / "quirks.json").read_text())
    names = [row["file"] for row in rows if "openai-chat-shape" in row["quirks"]]
    found = {}

    for name in names:
        data = (root.parent / name).read_bytes()
        if name.endswith(".txt"):
            lines = [line for line in data.split(b"\n") if line.strip()]
            data = b"".join(b"data: " + line + b"\n\n" for line in lines) + DONE
        found[name] = data

    assert len(found) >= 36

    return found


def read_plainly(data: bytes) -> dict[str, Any]:
    """The same stream by the standard library's JSON and nothing of ours."""

    got: dict[str, Any] = {"text": "", "reasoning": "", "tools": {}, "usage": None, "finish": None}

    for line in data.decode().split("\n"):
        if not line.startswith("data: {"):
            continue

        payload = json.loads(line[6:])
        got["usage"] = payload.get("usage") or got["usage"]
        for choice in payload.get("choices") or []:
            if choice.get("index", 0) == 0:
                read_choice_plainly(choice, got)

    return got


def read_choice_plainly(choice: dict[str, Any], got: dict[str, Any]) -> None:
    delta = choice.get("delta") or {}
    content = delta.get("content")
    got["reasoning"] += delta.get("reasoning_content") or delta.get("reasoning") or ""
    got["text"] += choice.get("text") or ""
    got["text"] += delta.get("refusal") or ""
    got["usage"] = choice.get("usage") or got["usage"]
    got["finish"] = choice.get("finish_reason") or got["finish"]

    for part in content if isinstance(content, list) else []:
        got["text"] += part.get("text", "")
        got["reasoning"] += "".join(inner["text"] for inner in part.get("thinking", []))

    if isinstance(content, str):
        got["text"] += content

    for tool in delta.get("tool_calls") or []:
        call = got["tools"].setdefault(tool.get("index", 0), {"id": "", "name": "", "args": ""})
        function = tool.get("function") or {}
        call["id"] = call["id"] or tool.get("id") or ""
        call["name"] = call["name"] or function.get("name") or ""
        call["args"] += function.get("arguments") or ""


def test_every_transcript_says_what_its_json_says(corpora: Corpora) -> None:
    for name, data in read_transcripts(corpora).items():
        events, wanted = decode([data]), read_plainly(data)

        assert text_of(events) == wanted["text"], name
        assert text_of(events, ReasoningDelta) == wanted["reasoning"], name
        assert [(e.id, e.name, e.arguments) for e in events if isinstance(e, ToolCall)] == [
            (call["id"], call["name"], call["args"]) for _, call in sorted(wanted["tools"].items())
        ], name

        usages = [e for e in events if isinstance(e, Usage)]
        assert len(usages) <= 1, name
        if wanted["usage"]:
            counts = wanted["usage"]["prompt_tokens"], wanted["usage"]["completion_tokens"]
            assert (usages[0].input_tokens, usages[0].output_tokens) == counts, name

        assert [e for e in events if isinstance(e, Finished)] == [events[-1]], name
        assert wanted["finish"] in (events[-1].reason, "stop"), name  # type: ignore[union-attr]
        assert all(e.text for e in events if isinstance(e, (TextDelta, ReasoningDelta))), name


def test_every_transcript_gives_the_same_events_at_any_cut(corpora: Corpora) -> None:
    chance = random.Random(11)

    for name, data in read_transcripts(corpora).items():
        wanted = decode([data])
        assert decode(data[i : i + 1] for i in range(len(data))) == wanted, name

        every = range(len(data)) if len(data) < 2500 else chance.sample(range(len(data)), 40)
        for cut in every:
            assert decode([data[:cut], data[cut:]]) == wanted, (name, cut)

        for _ in range(3):
            cuts = sorted(chance.sample(range(len(data)), 30))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
            assert decode(pieces) == wanted, name


def test_every_transcript_with_other_line_ends_and_a_bom(corpora: Corpora) -> None:
    for name, data in read_transcripts(corpora).items():
        if len(data) > 60_000 or b"\r" in data:
            continue

        for end in (b"\r\n", b"\r"):
            dressed = b"\xef\xbb\xbf" + data.replace(b"\n", end)
            assert decode(dressed[i : i + 3] for i in range(0, len(dressed), 3)) == decode(
                [data]
            ), name


def test_a_stream_cut_at_any_byte_is_finished_only_after_the_whole_finish(
    corpora: Corpora,
) -> None:
    """F24."""

    checked = 0
    for name, data in read_transcripts(corpora).items():
        if len(data) > 6000 or not name.endswith(".sse"):
            continue

        checked += 1
        # The whole JSON of the finish is enough, its line end is not needed.
        whole = min(
            data.index(b"\n", data.index(b'"finish_reason":"' + reason))
            for reason in (b"stop", b"length", b"tool_calls")
            if b'"finish_reason":"' + reason in data
        )

        text = text_of(decode([data]))
        for cut in range(len(data) + 1):
            events, code = until_failure([data[:cut]])
            is_finished = any(isinstance(e, Finished) for e in events)
            assert is_finished == (cut >= whole), (name, cut)
            assert code == ("" if is_finished else "incomplete"), (name, cut)
            assert text.startswith(text_of(events)), (name, cut)

    assert checked >= 5


def test_a_last_event_without_its_blank_line_counts() -> None:
    data = sse(chunk(content="a"), chunk("stop")).rstrip(b"\n")

    assert decode([data]) == [TextDelta("a"), Finished("stop", "m")]


def test_a_comment_and_an_unknown_field_are_nothing() -> None:
    data = b": OPENROUTER PROCESSING\n\nretry: 5\n\n" + sse(chunk("stop", content="a"))

    assert decode([data]) == [TextDelta("a"), Finished("stop", "m")]


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("FAKE_ENUM", "other"),
        ("<script>", "other"),
    ],
)
def test_finish_reasons_are_a_closed_set(reason: str, wanted: str) -> None:
    assert decode([sse(chunk(reason))]) == [Finished(wanted, "m")]  # type: ignore[arg-type]


def test_a_refusal_is_shown_and_named() -> None:
    data = sse(chunk(refusal="I can"), chunk(refusal="not."), chunk("stop"))

    assert decode([data]) == [TextDelta("I can"), TextDelta("not."), Finished("refusal", "m")]


def test_usage_comes_once_and_the_last_holds() -> None:
    counts = {"prompt_tokens": 1, "completion_tokens": 2}
    last = {
        "prompt_tokens": 10,
        "completion_tokens": 20.0,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    data = sse(
        {**chunk(content="a"), "usage": counts},
        {**chunk("stop"), "usage": None},
        {"choices": [], "usage": last},
        {"choices": None, "usage": {}},
    )

    assert decode([data + DONE]) == [TextDelta("a"), Usage(10, 20, 7, 5), Finished("stop", "m")]


@pytest.mark.parametrize("usage", [1, "x", [], {}, {"total_tokens": 5}])
def test_usage_of_another_shape_is_no_usage(usage: object) -> None:
    assert decode([sse({**chunk("stop"), "usage": usage})]) == [Finished("stop", "m")]


@pytest.mark.parametrize(
    "payload",
    [
        {"error": {"message": "boom", "type": "server_error"}},
        {"error": "boom"},
        {"error": {"message": "x", "code": 502}, "choices": [{"finish_reason": "error"}]},
        chunk("error"),
    ],
)
def test_an_error_after_text_keeps_the_text(payload: object) -> None:
    """F25; the text is given out even when the error comes in the same bytes."""

    data = sse(chunk(content="half"), payload, chunk("stop"))

    assert until_failure([data]) == ([TextDelta("half")], "provider")
    assert until_failure(data[i : i + 1] for i in range(len(data))) == (
        [TextDelta("half")],
        "provider",
    )


def test_an_error_event_by_its_name() -> None:
    data = sse(chunk(content="a")) + b"event: error\n" + sse({"message": "rate_limit reached"})

    assert until_failure([data]) == ([TextDelta("a")], "rate_limited")
    assert until_failure([b"event: error\ndata: no JSON\n\n"]) == ([], "provider")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<!doctype html><p>Sign in", "malformed"),
        (b" \n <html>", "malformed"),
        (b'{"object": "chat.completion"}', "malformed"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b'{"error": {"code": "context_length_exceeded"}}', "context_length"),
        (b'[{"error": {"code": 429, "message": "slow down"}}]', "rate_limited"),
        (b"", "incomplete"),
        (b"  \n", "incomplete"),
        (b"Bad gateway", "incomplete"),
        (b"data: {]\n\n", "malformed"),
        (b"data: 5\n\n", "malformed"),
        (b'data: {"choices": 5}\n\n', "malformed"),
        (b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', "malformed"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "malformed"),
        (DONE, "incomplete"),
    ],
)
def test_what_is_no_stream_of_chunks(body: bytes, code: str) -> None:
    assert until_failure([body]) == ([], code)
    if len(body) < 1000:
        assert until_failure(body[i : i + 1] for i in range(len(body))) == ([], code)


def test_an_endless_document_is_given_up() -> None:
    decoder = ChatDecoder()
    fed = 0
    while not decoder.over:
        decoder.feed(b"{" + b" " * 100_000)
        fed += 1

    assert fed < 20


def test_tool_calls_in_pieces() -> None:
    first = {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x'}}
    data = sse(
        chunk(tool_calls=[first]),
        chunk(tool_calls=[{"index": 2, "id": "c", "function": {"name": "third"}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '": 1}'}}]),
        chunk(tool_calls=[{"index": 2, "function": {"arguments": None}}, {"index": 2}]),
        chunk("tool_calls", tool_calls=[{"index": 1, "function": {"arguments": {"y": 2}}}]),
    )

    assert decode([data]) == [
        ToolCall("a", "look", '{"x": 1}'),
        ToolCall("", "", '{"y": 2}'),
        ToolCall("c", "third", ""),
        Finished("tool_calls", "m"),
    ]


def test_halves_of_a_character_in_two_deltas_are_one() -> None:
    """F28: legal JSON that no typed decoder reads, and no database stores."""

    high, low = (
        '{"choices":[{"delta":{"content":"a\\ud83d"}}]}',
        ('{"choices":[{"delta":{"content":"\\ude00\\u0000\\udc00"},"finish_reason":"stop"}]}'),
    )
    data = f"data: {high}\n\ndata: {low}\n\n".encode()

    assert text_of(decode([data])) == "a😀\ufffd\ufffd"


def test_a_half_at_the_end_becomes_a_replacement() -> None:
    data = b'data: {"choices":[{"delta":{"content":"a\\ud83d"},"finish_reason":"stop"}]}\n\n'

    assert decode([data]) == [TextDelta("a"), TextDelta("\ufffd"), Finished("stop")]


def test_other_answers_of_the_same_request_are_left_out() -> None:
    other = {"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}
    data = sse({"choices": [other]}, chunk(content="yes"), {"choices": [other]}, chunk("stop"))

    assert decode([data]) == [TextDelta("yes"), Finished("stop", "m")]


def test_ten_megabytes_in_one_delta_and_many_tiny_ones() -> None:
    """F27."""

    large = "x" * 10_000_000
    data = sse(chunk(content=large), chunk("stop"))
    pieces = [data[i : i + 16384] for i in range(0, len(data), 16384)]
    assert text_of(decode(pieces)) == large

    tiny = sse(chunk(content="y")) * 100_000 + sse(chunk("stop"))
    assert text_of(decode([tiny])) == "y" * 100_000


@given(st.lists(st.text(max_size=5), max_size=8), st.data())
def test_any_text_in_any_deltas_at_any_cut(texts: list[str], cuts: Any) -> None:
    data = sse(*(chunk(content=text) for text in texts), chunk("stop"))
    cut = cuts.draw(st.integers(0, len(data)))
    events = decode([data[:cut], data[cut:]])

    assert text_of(events) == "".join(texts).replace("\0", "\ufffd")


@given(st.binary(max_size=80))
def test_no_bytes_are_more_than_a_failure(data: bytes) -> None:
    for body in (data, b"data: " + data + b"\n\n"):
        events, code = until_failure([body])
        assert code in {"incomplete", "malformed", "provider"}
        assert not any(isinstance(e, Finished) for e in events)
