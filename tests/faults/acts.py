"""What tests do again and again: find the writer, look from elsewhere, stop, and check it all."""

from __future__ import annotations

from typing import Any

from .checker import find_faults
from .evidence import Case
from .exchange import Client
from .recorder import Person, Recorder
from .rig import Server, wait_until
from .viewers import API, ChatViewer, PageViewer, StreamViewer, Viewer


def check_all(recorder: Recorder, deleted: dict[str, str] | None = None) -> Case:
    """The ten checks, once every viewer has come to the end; the evidence, for what is special."""

    case = recorder.gather(deleted)
    faults = find_faults(case)

    assert not faults, "\n".join(faults)

    return case


def writer_of(recorder: Recorder, viewer: Viewer) -> int:
    """The process that writes a viewer's answer."""

    recorder.wait_shown([viewer])

    (generation,) = (
        g for g in recorder.snapshot().generations if g.conversation_id == viewer.conversation_id
    )
    assert generation.status == "running"

    return generation.pid


def watch_from_elsewhere(
    recorder: Recorder, server: Server, chat: ChatViewer, pid: int
) -> list[Viewer]:
    """A stream and a page viewer of an answer whose connections are on another worker."""

    with server.paused(pid):
        found = [recorder.follow(kind, server, chat) for kind in (StreamViewer, PageViewer)]
        recorder.wait_shown(found)
        wait_until(lambda: len(found[1].pids) == 2 and all(found[1].pids), 10)

    return found


def stop(recorder: Recorder, server: Server, viewers: list[ChatViewer]) -> None:
    """Stop answers that may still be written, so that the test need not wait for them."""

    for viewer in viewers:
        stopped = person_of(recorder, server, viewer).request("POST", path_of(viewer, "cancel"))
        assert stopped.status == 200


def person_of(recorder: Recorder, server: Server, viewer: Viewer) -> Client:
    """A client of the one who follows."""

    person = next(p for p in recorder.people if p.name == viewer.owner)

    return recorder.client(server, person)


def path_of(viewer: Viewer, act: str) -> str:
    """The address of an act on the answer that a viewer follows."""

    return f"{API}/messages/{answer_of(viewer)}/{act}"


def answer_of(viewer: Viewer) -> str:
    """The id of the answer that a viewer follows."""

    (id,) = {piece.message_id for piece in viewer.sight.pieces}

    return id


def call_of(recorder: Recorder, prompt: str) -> dict[str, Any]:
    """The provider's one call for a question."""

    (call,) = (c for c in recorder.rig.calls() if c["messages"][-1]["content"] == prompt)

    return call


def post(client: Client, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """The JSON that a successful POST gives."""

    found = client.request("POST", f"{API}{path}", body, headers)
    assert found.status in (200, 201), (found.status, found.body)
    value: dict[str, Any] = found.json()

    return value


def statuses(case: Case, person: Person) -> set[str]:
    """The states of somebody's answers."""

    mine = {p.conversation_id for p in _asked(case, person)}

    return {
        message.error_code or message.status
        for message in case.stored.messages.values()
        if message.role == "assistant" and message.conversation_id in mine
    }


def _asked(case: Case, person: Person) -> list[Any]:
    return [m for m in case.stored.messages.values() if m.text.startswith(person.canary)]
