"""The doctor on who writes answers; with a worker that is there, `test_generation_queue`."""

from __future__ import annotations

from pathlib import Path

from flask_chatstream.config import Settings
from flask_chatstream.doctor.finding import Level
from flask_chatstream.doctor.runner import check_runner, judge_workers
from tests.queued_site import Site

TASK = "chatstream.answer"


def look(site: Site) -> list[tuple[Level, str]]:
    """What is found, by a level and words; nothing is left open."""

    found = list(check_runner(site.state.settings, lambda: site.celery))
    site.celery.close()

    return [(finding.level, finding.what) for finding in found]


def test_answers_beside_requests() -> None:
    [found] = check_runner(Settings(), lambda: None)

    assert (found.level, "auto" in found.what) == ("ok", True)


def test_a_broker_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    [(level, what)] = look(Site("redis://:secret@127.0.0.1:1/0", tmp_path, {}))

    assert level == "failure"
    assert "127.0.0.1:1" in what and "secret" not in what


def test_nobody_works(tmp_path: Path) -> None:
    found = look(Site("memory://", tmp_path, {}, worker_prefetch_multiplier=4))

    assert [level for level, _ in found] == ["ok", "failure", "warning"]
    assert "No Celery worker answers" in found[1][1]


def test_workers_that_do_not_know_the_task_are_named() -> None:
    [well] = judge_workers({"a@shop": ["report", TASK], "b@shop": [TASK]})
    [found] = judge_workers({"a@shop": ["report"], "b@shop": [TASK]})

    assert (well.level, found.level) == ("ok", "failure")
    assert "a@shop" in found.what and "b@shop" not in found.what
