"""What a provider says, made safe to keep."""

from __future__ import annotations

import math

import pytest

from flask_chatstream.events import MOST_TOKENS, Finished, Usage

pytest_plugins = ["tests.engine_fixtures"]

COUNTS = [
    (0, 0),
    (7, 7),
    (MOST_TOKENS, MOST_TOKENS),
    (MOST_TOKENS + 1, MOST_TOKENS),
    (2**40, MOST_TOKENS),
    (2**1100, MOST_TOKENS),
    (10**40, MOST_TOKENS),
    (-1, 0),
    (-(10**40), 0),
    (12.0, 12),
    (12.9, 12),
    (-0.5, 0),
    (math.inf, MOST_TOKENS),
    (-math.inf, 0),
    (math.nan, 0),
    (True, 0),
    (None, 0),
    ("12", 0),
    ([1], 0),
]


@pytest.mark.parametrize(("said", "kept"), COUNTS, ids=range(len(COUNTS)))
def test_a_count_is_a_whole_number_that_a_column_holds(said, kept):
    usage = Usage(said, said, said, said)
    values = (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.cached_tokens)

    assert values == (kept,) * 4
    assert {type(value) for value in values} == {int}


@pytest.mark.parametrize("said", [2**40, -5, True, 1.5, math.nan, math.inf, "many"])
def test_counts_out_of_range_fail_no_end(worker, said):
    """PostgreSQL refused the number, or the JSON with it, and a whole answer became an error."""

    worker.provider.enqueue("Fine.", Usage(said, said, said, said), Finished("stop"))
    asked = worker.answer()
    message = worker.message(asked)
    kept = Usage(said, said).input_tokens

    assert (message.status, message.content) == ("completed", "Fine.")
    assert (message.input_tokens, message.output_tokens) == (kept, kept)
    assert message.usage["cached_tokens"] == kept
    assert worker.conversation(asked).total_tokens == 2 * kept
