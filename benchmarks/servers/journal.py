"""The engine's journal alone: many answers, each of whose chunks waits until it is committed.

No model, no HTTP and no viewer. Prints JSON: the journal's rows, its groups, and the seconds. Each
chunk is a row of its own, because its answer has no other one on the way.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import time

import gevent

from flask_chatstream.conversations import Ask, Turn, ask, read_text
from flask_chatstream.generation.running import Running
from flask_chatstream.lifecycle.claims import claim
from flask_chatstream.state import State

from .site import make_app, parse

CHUNK = "fifteen letters"


def begin(state: State) -> Running:
    """An answer that this process is to write."""

    runtime = state.runtime
    turns, placement = (Turn("user", "Tell me."),), state.place.placement
    wanted = Ask(owner="bench", mount="chatstream", turns=turns, placement=placement)
    asked = ask(state.database, wanted)
    assert asked.generation_id is not None
    claimed = state.database.write(claim, asked.generation_id, runtime.worker, 600.0)

    # The background work has taken it up for one that was forgotten.
    return begin(state) if claimed is None else runtime.open(claimed)


def write(running: Running, until: float) -> int:
    """Write chunk after chunk; how many."""

    count = 0

    while time.monotonic() < until:
        running.stream.append(CHUNK)
        running.stream.flush()
        running.move()
        count += 1

    return count


def main() -> None:
    """Measure, and say what came of it."""

    parser = parse(__doc__)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    app = make_app(arguments)

    with app.app_context():
        state: State = app.extensions["chatstream"]
        state.ready()
        answers = [begin(state) for _ in range(arguments.streams)]
        journal = state.runtime.journal
        rows, groups, started = journal.rows, journal.groups, time.monotonic()
        tasks = [gevent.spawn(write, a, started + arguments.seconds) for a in answers]
        gevent.joinall(tasks, raise_error=True)
        seconds = time.monotonic() - started
        rows, groups = journal.rows - rows, journal.groups - groups
        counts = [task.value or 0 for task in tasks]

        with state.database.read() as session:
            texts = [read_text(session, running.claimed.message_id) for running in answers]

    is_whole = texts == [CHUNK * count for count in counts] and rows == sum(counts)
    print(json.dumps({"rows": rows, "groups": groups, "seconds": seconds, "whole": is_whole}))
    state.close()


if __name__ == "__main__":
    main()
