"""Answers of Celery workers: real brokers, real workers, and those that are killed."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_chatstream import ChatStream
from flask_chatstream.answer import Answer
from flask_chatstream.doctor.runner import check_runner
from flask_chatstream.errors import ConfigurationError, StorageUnavailable
from flask_chatstream.generation import queue
from flask_chatstream.generation.runner import claim
from flask_chatstream.testing import scripted
from tests.fakes.behaviour import expected_text
from tests.fakes.model_server import Call, ModelServer
from tests.queued_site import Site, Worker
from tests.services import fresh_postgres, need
from tests.waiting import wait_for

BROKERS = [pytest.param("rabbitmq", marks=pytest.mark.db), "redis"]
#: Nothing listens there.
NOWHERE = "redis://127.0.0.1:1/0"
MakeSite = Callable[..., Site]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def make_site(model: ModelServer, tmp_path: Path) -> Iterator[MakeSite]:
    """Makes a site on a broker of its own: ``make_site(url, {}, task_always_eager=True)``."""

    with ExitStack() as stack:
        yield lambda broker, settings=None, **celery: stack.enter_context(
            closing(Site(broker, tmp_path, config(model) | (settings or {}), **celery))
        )


@pytest.fixture(scope="module", params=BROKERS)
def site(
    request: pytest.FixtureRequest, model: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """On RabbitMQ with PostgreSQL, on Redis with the embedded file."""

    broker, folder = need(request.param), tmp_path_factory.mktemp("site")

    with ExitStack() as stack:
        url = stack.enter_context(fresh_postgres()) if request.param == "rabbitmq" else None
        settings = {"CHATSTREAM_DATABASE_URI": url, "CHATSTREAM_AUTO_UPGRADE": True}
        site = Site(broker, folder, config(model) | settings)

        yield stack.enter_context(closing(site))


def config(model: ModelServer) -> dict[str, Any]:
    return {
        "CHATSTREAM_PROVIDER": "openai",
        "CHATSTREAM_MODEL": "fake",
        "CHATSTREAM_OPENAI_API_KEY": "none",
        "CHATSTREAM_OPENAI_BASE_URL": model.base_url,
        "CHATSTREAM_DRAIN_SECONDS": 0.3,
    }


@pytest.fixture(scope="module")
def worker(site: Site) -> Iterator[Worker]:
    with site.work() as worker:
        yield worker


def prompt(words: str) -> str:
    """A question that no other test asks, with what the model is to do."""

    return f"Question {next(_numbers)}. [[{words}]]"


def calls(model: ModelServer, question: str) -> list[Call]:
    return [call for call in model.calls if call.messages[-1]["content"] == question]


def begin(site: Site, question: str) -> tuple[Answer, Iterator[str]]:
    """Ask, and have seen the first text."""

    answer = site.ask(question)
    pieces = answer.stream(60)
    assert next(pieces)

    return answer, pieces


def test_an_answer_is_written_by_a_worker_and_followed_here(site: Site, worker: Worker) -> None:
    pieces = list(site.ask(prompt("tokens=20 rate=50")).stream(60))
    assert "".join(pieces) == expected_text(20)
    assert len(pieces) > 1
    answer = site.ask(prompt("tokens=3")).wait(60)
    generation = site.generation(answer)

    assert (answer.status, generation.runner, generation.epoch) == ("completed", "celery", 1)
    assert generation.worker not in (None, site.state.runtime.worker)
    assert not site.state.runtime.is_busy


def test_the_doctor_finds_the_worker(site: Site, worker: Worker) -> None:
    found = check_runner(site.state.settings, partial(queue.find_celery, site.app))

    assert [finding.level for finding in found] == ["ok", "ok"]


def test_a_stop_reaches_the_worker(site: Site, worker: Worker, model: ModelServer) -> None:
    question = prompt("tokens=20 stall=mid")
    answer, pieces = begin(site, question)
    began = time.monotonic()
    answer.stop()

    assert answer.status == "cancelled"
    [call] = calls(model, question)
    assert call.wait_closed() - began < 3  # 0.1 s on a machine with nothing else to do
    list(pieces)
    assert answer.text and expected_text(20).startswith(answer.text)


def test_a_task_that_comes_twice_is_written_once(
    site: Site, worker: Worker, model: ModelServer
) -> None:
    question = prompt("tokens=20 stall=mid")
    answer, pieces = begin(site, question)
    done = worker.log.read_text().count("succeeded")
    site.send(answer)
    wait_for(lambda: worker.has_logged("succeeded", done + 1))
    assert answer.status == "generating"
    answer.stop()
    list(pieces)
    site.send(answer)
    wait_for(lambda: worker.has_logged("succeeded", done + 3))

    assert answer.status == "cancelled"
    assert len(calls(model, question)) == 1
    assert site.generation(answer).epoch == 1


@pytest.mark.slow
def test_the_answer_of_a_killed_worker_ends_once_and_is_not_run_again(
    make_site: MakeSite, model: ModelServer
) -> None:
    """RabbitMQ delivers its task again to the next worker, with that of who asked meanwhile."""

    site = make_site(need("rabbitmq"))
    question = prompt("tokens=20 stall=mid")

    with site.work() as worker:
        answer, pieces = begin(site, question)
        shown = answer.text
        worker.kill()
        left = site.ask(prompt("tokens=3"))

    list(pieces)
    assert (answer.status, answer.error_code) == ("error", "interrupted")
    assert shown and answer.text.startswith(shown)
    ended = site.generation(answer)

    with site.work() as worker:
        wait_for(lambda: worker.has_logged("succeeded", 2), timeout=60)
        check_stop(site, worker)

    assert left.status == "completed"
    assert len(calls(model, question)) == 1
    again = site.generation(answer)
    assert (again.status, again.ended_at, again.epoch) == ("interrupted", ended.ended_at, 1)


@pytest.mark.slow
def test_what_a_worker_has_forked_hears_of_its_stop_too(make_site: MakeSite) -> None:
    site = make_site(need("redis"))

    with site.work("prefork") as worker:
        check_stop(site, worker)


def check_stop(site: Site, worker: Worker) -> None:
    """A worker that is stopped in order stores what it has, when the time for it is over."""

    answer, pieces = begin(site, prompt("tokens=20 stall=mid"))
    wait_for(lambda: answer.text == expected_text(10))
    worker.leave()
    list(pieces)

    assert site.generation(answer).status == "interrupted"
    assert answer.text == expected_text(10)


def test_a_question_that_cannot_be_sent_ends_in_words(
    make_site: MakeSite, model: ModelServer
) -> None:
    question = prompt("tokens=3")
    site = make_site(NOWHERE)
    began = time.monotonic()
    answer = site.ask(question)
    assert time.monotonic() - began < 2
    answer.wait(20)

    assert (answer.status, answer.error_code, answer.text) == ("error", "queue", "")
    assert calls(model, question) == []
    # It may have arrived all the same, and been ended or claimed by then.
    site.state.write(answer.generation_id)
    assert calls(model, question) == []


def test_a_message_that_is_lost_is_sent_again(make_site: MakeSite) -> None:
    """A killed worker takes along what it has not begun, where the broker is Redis."""

    site = make_site("memory://", {"CHATSTREAM_SWEEP_SECONDS": 0.05})
    stopped, waiting = [site.ask(prompt("tokens=3")) for _ in range(2)]
    wait_for(lambda: not site.state.runtime.is_busy)
    assert site.drop_messages() == 2
    stopped.stop()
    sent: dict[int, tuple[str, float]] = site.state.place._sent
    sent |= {id: (mount, moment - 30) for id, (mount, moment) in sent.items()}
    wait_for(lambda: site.drop_messages() == 1)
    wait_for(lambda: list(sent) == [waiting.generation_id])

    assert waiting.status == "generating"


def test_what_was_claimed_after_all_is_not_given_up(make_site: MakeSite) -> None:
    site = make_site("memory://")
    answer = site.ask(prompt("tokens=3"))
    wait_for(lambda: not site.state.runtime.is_busy)
    site.state.database.write(claim, answer.generation_id, "elsewhere:1:2:3", 60.0)
    site.state.place._give_up(answer.generation_id)

    assert answer.status == "generating"


def test_a_task_waits_for_the_database(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("memory://", task_always_eager=True)
    attempts = []

    def fail_once(*arguments: Any) -> Any:
        attempts.append(arguments)

        if len(attempts) == 1:
            raise StorageUnavailable("away")

        return claim(*arguments)

    monkeypatch.setattr("flask_chatstream.generation.runner.claim", fail_once)
    answer = site.ask(prompt("tokens=3")).wait(20)

    assert (answer.status, len(attempts)) == ("completed", 2)


def test_a_script_answers_in_the_process_of_its_test(make_site: MakeSite) -> None:
    site = make_site(NOWHERE)

    with scripted(site.app) as chat:
        chat.provider.enqueue("From nine to five.")
        answer = site.ask("When do you open?").wait(20)

        assert answer.text == "From nine to five."


def test_a_leaving_worker_gives_the_task_back(make_site: MakeSite) -> None:
    from celery.exceptions import Reject

    site = make_site("memory://")
    answer = site.ask(prompt("tokens=3"))
    site.state.runtime.draining = True

    with pytest.raises(Reject) as rejected, site.app.app_context():
        site.celery.tasks[queue.TASK].run(answer.generation_id, answer.mount)

    assert rejected.value.requeue
    assert site.generation(answer).status == "queued"


def test_a_celery_app_without_the_site_says_what_to_do() -> None:
    from celery import Celery

    queue.add_task()

    with Celery("alone", set_as_current=False) as alone, pytest.raises(ConfigurationError) as told:
        alone.tasks[queue.TASK].run(1, "chatstream")

    assert "app.app_context()" in str(told.value)


def test_celery_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    queue.add_task.cache_clear()
    app = Flask(__name__)
    app.config["CHATSTREAM_RUNNER"] = "celery"

    with pytest.raises(ConfigurationError, match=r"flask_chatstream\[celery\]"):
        app.register_blueprint(ChatStream())


def test_a_runner_that_is_named_too_late(tmp_path: Path) -> None:
    """A Celery worker would take the chat's tasks for unknown ones and drop them."""

    app = Flask(__name__, instance_path=str(tmp_path))
    app.register_blueprint(ChatStream())
    app.config["CHATSTREAM_RUNNER"] = "celery"

    with app.app_context(), pytest.raises(ConfigurationError, match="before the chat"):
        app.extensions["chatstream"].bind()


def test_a_database_in_memory_has_no_other_process(tmp_path: Path) -> None:
    app = Flask(__name__, instance_path=str(tmp_path))
    app.config.update(CHATSTREAM_RUNNER="celery", CHATSTREAM_DATABASE_URI="sqlite://")
    app.register_blueprint(ChatStream())

    with app.app_context(), pytest.raises(ConfigurationError, match="in memory"):
        app.extensions["chatstream"].bind()
