"""Providers that refuse, stand still, break off, talk nonsense or never end (F22 to F30)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from .acts import check_all
from .conftest import Pair
from .evidence import Case
from .model import question
from .recorder import Person, Recorder
from .rig import Rig, Setup, free_port
from .viewers import API, ChatViewer, StreamViewer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.cells("embedded-gthread"),
]

LIMITS = {
    "CHATSTREAM_FIRST_TOKEN_TIMEOUT": 3.0,
    "CHATSTREAM_IDLE_TIMEOUT": 3.0,
    "CHATSTREAM_TOTAL_TIMEOUT": 9.0,
}
REFUSALS = {
    "status=400": "invalid_request",
    "status=403": "authentication",
    "status=404": "model_not_found",
    "status=429 retry_after=60": "rate_limited",
    "status=429 retry_after=0.01": "rate_limited",
    "status=500 retry_after=0.01": "provider",
    "status=503 retry_after=0.01 times=2": "completed",
    "status=529 retry_after=0.01": "overloaded",
}
NONSENSE = {
    "body=<html> content_type=text/html": "malformed",
    "error_after=20": "provider",
    "malformed_after=20": "malformed",
    "finish=FAKE_ENUM": "completed",
    "finish=none": "incomplete",
}
WORDLESS = {
    "kind=refusal": "completed",
    "kind=tools": "empty",
    "kind=reasoning": "empty",
    "finish=content_filter": "completed",
    "usage=no done=no": "completed",
}


@dataclass
class Asked:
    """A question to a model that misbehaves, and how it has to end."""

    viewer: ChatViewer
    wanted: str


def ask_each(pair: Pair, recorder: Recorder, person: Person, ends: dict[str, str]) -> list[Asked]:
    """A question with each directive, followed on the other worker as well."""

    asked = [
        Asked(recorder.ask(pair.a, person, 40, 400, f"[[{directive}]]"), wanted)
        for directive, wanted in ends.items()
    ]

    for each in asked:
        recorder.follow(StreamViewer, pair.b, each.viewer)

    return asked


def ends_of(case: Case, asked: list[Asked]) -> list[str]:
    """How each ended."""

    answers = {m.conversation_id: m for m in case.stored.messages.values() if m.role != "user"}
    found = [answers[each.viewer.conversation_id] for each in asked]

    return [message.error_code or message.status for message in found]


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param(REFUSALS, id="F22-refused"),
        pytest.param(NONSENSE, id="F25-nonsense"),
        pytest.param(WORDLESS, id="F29-wordless"),
    ],
)
def test_F22_F25_F29_every_failure_has_its_name(
    pair: Pair, recorder: Recorder, ends: dict[str, str]
) -> None:
    """F22, F25, F29: what came stays, the reason is one of a closed set."""

    asked = ask_each(pair, recorder, recorder.person("ada"), ends)
    case = check_all(recorder)

    assert ends_of(case, asked) == list(ends.values())


@pytest.mark.faults
def test_F22_nobody_there(rig: Rig) -> None:
    """F22: a closed port, a name that is none, a server without TLS."""

    addresses = (
        f"http://127.0.0.1:{free_port()}/v1",
        "http://nowhere.invalid/v1",
        rig.model.replace("http:", "https:"),
    )
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    viewers = []

    for address in addresses:
        (server,) = rig.serve(1, setup=Setup(config={"CHATSTREAM_OPENAI_BASE_URL": address}))
        viewers.append(recorder.ask(server, ada, 10, 100))

    check_all(recorder)

    assert [v.sight.endings[-1].error_code for v in viewers] == ["connection"] * 3


@pytest.mark.faults
def test_F23_F26_F27_silence_trickle_and_no_end(rig: Rig) -> None:
    """F23, F26, F27: each limit on its own; what came in time is kept."""

    (server,) = rig.serve(1, setup=Setup(config=LIMITS))
    recorder = Recorder(rig)
    ada = recorder.person("ada")
    silent = [
        recorder.ask(server, ada, 40, 100, f"[[stall={at}]]") for at in ("headers", "first", "mid")
    ]
    trickle = recorder.ask(server, ada, 4, 1, "[[split=1]]")
    endless = recorder.ask(server, ada, 5000, 100)
    recorder.follow_all(server, trickle)
    recorder.follow_all(server, endless)
    check_all(recorder)

    assert [v.sight.endings[-1].error_code for v in silent] == ["timeout"] * 3
    assert trickle.sight.endings[-1].status == "completed"
    assert endless.sight.endings[-1].error_code == "timeout"
    assert silent[2].length() > 100


def test_F24_broken_off_anywhere(pair: Pair, recorder: Recorder, is_long: bool) -> None:
    """F24: at any byte, by a FIN or an RST; complete only after the provider's own finish."""

    ada = recorder.person("ada")
    viewers = []

    for n in range(120 if is_long else 8):
        cut = recorder.random.randrange(5800)
        how = ("close", "reset")[n % 2]
        framing = recorder.random.choice(("chunked", "length", "close"))
        directive = f"[[cut={cut} cut_by={how} framing={framing}]]"
        viewers.append(recorder.ask((pair.a, pair.b)[n % 2], ada, 20, 0, directive))

    check_all(recorder)
    ends = {v.sight.endings[-1].error_code or v.sight.endings[-1].status for v in viewers}

    assert ends <= {"completed", "incomplete", "connection"}


@pytest.mark.faults
def test_F27_much_at_once_and_much_in_pieces(pair: Pair, recorder: Recorder) -> None:
    """F27: 10 MB in one delta end at the limit, 100,000 tiny deltas are one text."""

    ada = recorder.person("ada")
    large = recorder.ask(pair.a, ada, 700_000, 0, "[[kind=one]]")
    tiny = recorder.ask(pair.a, ada, 6_000, 0, "[[kind=tiny]]")
    recorder.follow(StreamViewer, pair.b, tiny)
    case = check_all(recorder)
    texts = {m.conversation_id: m.text for m in case.stored.messages.values() if m.role != "user"}

    assert large.sight.endings[-1].error_code == "limit"
    assert len(texts[large.conversation_id]) == 1_000_000
    assert tiny.sight.endings[-1].status == "completed"


def test_F28_odd_text(pair: Pair, recorder: Recorder) -> None:
    """F28: surrogates, NUL and what looks like the end of a line, cut at any byte."""

    ada = recorder.person("ada")

    for split in (0, 1, 2, 7):
        chat = recorder.ask(pair.a, ada, 12, 0, f"[[kind=odd split={split}]]")
        recorder.follow_all(pair.b, chat)

    case = check_all(recorder)

    assert {e.status for _, sight in case.sights.values() for e in sight.endings} == {"completed"}


def test_F30_a_redirect_is_not_followed(pair: Pair, recorder: Recorder) -> None:
    """F30: nobody is called there, and the place is not told."""

    ada, elsewhere = recorder.person("ada"), pair.rig.model.replace("/v1", "/elsewhere")
    client = recorder.client(pair.a, ada)
    asked = question(ada.tag(), 10, 100, f"[[status=302 location={elsewhere}]]")
    refused = client.request("POST", f"{API}/chat", {"message": asked, "stream": False})
    calls = [c for c in pair.rig.calls() if c["messages"][-1]["content"] == asked]
    check_all(recorder)

    assert (refused.status, refused.json()["error"]["code"]) == (502, "configuration")
    assert b"elsewhere" not in refused.body
    assert len(calls) == 1
