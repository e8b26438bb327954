"""What Sentry's SDK, set up as its manual says, would send away of a chat that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workers import run_python

PROGRAM = "import sys\nfrom tests import sentry_site\nsentry_site.main(sys.argv[1])\n"


@pytest.mark.parametrize("patched", [False, True])
def test_failures_arrive_once_with_ids_and_without_text_or_keys(
    tmp_path: Path, patched: bool
) -> None:
    told = json.loads(run_python(PROGRAM, str(tmp_path), patched=patched))
    events = [event["logentry"]["message"] for event in told["events"]]
    failed, queued = (
        event for event in told["events"] if event["logger"].endswith("generation.runner")
    )
    ids = {name: id for name, id in failed["extra"].items() if name.startswith("chatstream_")}
    causes = [(e["type"], e["stacktrace"]["frames"][-1]) for e in failed["exception"]["values"]]

    assert told["leaks"] == []
    # No stop, no clean end, no failure of a provider.
    assert sorted(events) == [
        "A receiver of %s failed.",
        "Generation %d failed.",
        "Generation %d failed.",
        "The chat's task %s failed.",
    ]
    assert sorted(ids) == [
        "chatstream_conversation_id",
        "chatstream_generation_id",
        "chatstream_message_id",
        "chatstream_mount",
        "chatstream_request_id",
    ]
    assert ids["chatstream_mount"] == "failing" and all(ids.values())
    assert [kind for kind, _ in causes] == ["KeyError", "ValueError"]
    assert {frame["function"] for _, frame in causes} == {"stream"}
    assert causes[0][1]["context_line"].strip() == "raise KeyError(text)"
    assert "request" not in failed
    assert queued["extra"]["chatstream_mount"] == "queued" and "request" not in queued
