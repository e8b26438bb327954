"""Processor time per chunk: what durability costs, and what others take for less."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.rounds import measure
from benchmarks.row import Figure, Load, Row, Values
from benchmarks.systems import SYSTEMS

#: With more streams the naive design does not keep up, and its figures measure a queue.
NAIVE_STREAMS = 20
#: ``few`` is `process` with so many.
PAIRS = {
    "process_off": ("process", "off"),
    "power_off": ("power", "off"),
    "postgres_off": ("postgres", "off"),
    "process_proxy": ("process", "proxy"),
    "process_bare": ("process", "bare"),
    "process_naive": ("few", "naive"),
}


def run(bench: Bench, load: Load) -> Values:
    """The systems in turn, so that all meet the same noise; the ratios are of this round alone."""

    few = replace(load, streams=min(load.streams, NAIVE_STREAMS))
    results = {}

    for name in load.systems:
        if SYSTEMS[name].postgres and not bench.has_postgres:
            continue

        bench.say(f"  {name}")
        size = few if name == "naive" else load
        results[name] = measure(bench, SYSTEMS[name], size)

    if "naive" in results:
        bench.say("  process, with as few streams as naive")
        results["few"] = measure(bench, SYSTEMS["process"], few)

    whole = {name: result.cpu_us for name, result in results.items()}
    middle = {name: result.middle_us for name, result in results.items()}
    once = {name: (whole[name] - middle[name]) * load.tokens / 1000 for name in results}

    return {
        **_ratios(whole),
        **{f"middle_{key}": ratio for key, ratio in _ratios(middle).items()},
        **{f"us_{name}": used for name, used in whole.items()},
        **{f"once_{name}": used for name, used in once.items()},
    }


def _ratios(used: Values) -> Values:
    return {
        key: used[ours] / max(used[theirs], 1e-9)
        for key, (ours, theirs) in PAIRS.items()
        if ours in used and theirs in used
    }


ROW = Row(
    "cpu",
    "processor time per chunk, the starts and ends of the answers included",
    run,
    (
        Figure("process_off", "CPU per chunk, `process` / journal off", "x", most=1.15),
        Figure("power_off", "CPU per chunk, `power` / journal off", "x", most=1.3),
        Figure("postgres_off", "CPU per chunk, PostgreSQL (its own included) / journal off", "x"),
        Figure("process_proxy", "CPU per chunk, `process` / openai SDK proxy", "x", most=0.5),
        Figure("process_bare", "CPU per chunk, `process` / hand-written proxy", "x", most=2.0),
        Figure("process_naive", "CPU per chunk, `process` / naive, 20 streams", "x", most=0.25),
        Figure("middle_process_off", "in mid-answer: `process` / journal off", "x"),
        Figure("middle_power_off", "in mid-answer: `power` / journal off", "x"),
        Figure("middle_process_proxy", "in mid-answer: `process` / openai SDK proxy", "x"),
        Figure("middle_process_bare", "in mid-answer: `process` / hand-written proxy", "x"),
        Figure("once_process", "CPU of an answer's start and end, `process`", "ms"),
        Figure("once_postgres", "CPU of an answer's start and end, PostgreSQL", "ms"),
        Figure("once_proxy", "CPU of an answer's start and end, openai SDK proxy", "ms"),
        Figure("us_process", "CPU per chunk, `process`", "µs"),
        Figure("us_power", "CPU per chunk, `power`", "µs"),
        Figure("us_postgres", "CPU per chunk, PostgreSQL (its own included)", "µs"),
        Figure("us_off", "CPU per chunk, journal off", "µs"),
        Figure("us_proxy", "CPU per chunk, openai SDK proxy", "µs"),
        Figure("us_bare", "CPU per chunk, hand-written proxy", "µs"),
    ),
    Load(
        streams=200,
        tokens=120,
        systems=("process", "off", "power", "proxy", "bare", "postgres", "naive"),
    ),
    Load(rounds=1, streams=2, tokens=5, rate=50, systems=("process", "off", "bare")),
)
