"""A site whose answers Celery's workers write, as the documentation shows it, and those workers.

``python -m celery -A tests.queued_site:celery_app worker`` is one; `Site` says which by
``QUEUED_SITE`` in its environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from celery import Celery, Task
from flask import Flask

from flask_chatstream import ChatStream
from flask_chatstream.answer import Answer
from flask_chatstream.generation.queue import TASK
from flask_chatstream.models import Generation
from flask_chatstream.state import State
from tests.services import ROOT
from tests.waiting import wait_for


def init_celery(app: Flask) -> Celery:
    """The pattern of Flask's documentation."""

    class FlaskTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app

    return celery_app


def create_app(settings: dict[str, Any]) -> Flask:
    """The site; one of its own blueprints' chats is that of ``ann``."""

    app = Flask("queued_site", instance_path=settings["folder"])
    app.config.update(SECRET_KEY="for tests only", CHATSTREAM_RUNNER="celery", **settings["config"])
    chat = ChatStream()
    chat.owner_loader(lambda: "ann")
    app.register_blueprint(chat)
    init_celery(app)

    return app


class Site:
    """The web half of the site in this process, and its workers in processes of their own."""

    def __init__(self, broker: str, folder: Path, config: dict[str, Any], **celery: Any):
        self.name = f"chatstream-test-{uuid.uuid4().hex[:12]}"
        self.folder = folder
        self.broker = broker
        is_redis = broker.startswith("redis")
        known = {
            "broker_url": broker,
            "broker_transport_options": {"global_keyprefix": self.name} if is_redis else {},
            "task_default_queue": self.name,
            "control_exchange": f"{self.name}.control",
            "event_exchange": f"{self.name}.events",
            "worker_prefetch_multiplier": 1,
        }
        self.settings = {"folder": str(folder), "config": {**config, "CELERY": {**known, **celery}}}
        self.app = create_app(self.settings)
        self.celery: Celery = self.app.extensions["celery"]
        self.state: State = self.app.extensions["chatstream"]

    def ask(self, question: str) -> Answer:
        """Ask as ``ann``."""

        with self.app.app_context():
            answer: Answer = self.app.blueprints["chatstream"].ask(question, owner="ann")

        return answer

    def send(self, answer: Answer) -> None:
        """Send the task of an answer, once more."""

        self.celery.tasks[TASK].apply_async((answer.generation_id, answer.mount))

    def drop_messages(self) -> int:
        """Lose what waits in the queue; how much it was."""

        with self.celery.connection_for_write() as connection:
            dropped: int = connection.default_channel.queue_purge(self.name)

        return dropped

    def generation(self, answer: Answer) -> Generation:
        """The stored generation."""

        with self.state.database.read() as session:
            return session.query(Generation).filter_by(id=answer.generation_id).one()

    @contextmanager
    def work(self, pool: str = "gevent") -> Iterator[Worker]:
        """A worker that is ready, killed at the end."""

        worker = Worker(self, pool)

        try:
            wait_for(lambda: worker.has_logged(" ready."), timeout=60)
            yield worker
        finally:
            worker.kill()

    def close(self) -> None:
        """Let go of connections, and leave nothing in the broker."""

        self.state.close()

        if self.broker.startswith("amqp"):
            self._clear_rabbitmq()

        if self.broker.startswith("redis"):
            self._clear_redis()

        self.celery.close()

    def _clear_rabbitmq(self) -> None:
        with self.celery.connection_for_write() as connection:
            channel = connection.default_channel
            channel.queue_delete(self.name)

            for form in ("{}", "{}.events", "{}.control.pidbox", "reply.{}.control.pidbox"):
                channel.exchange_delete(form.format(self.name))

    def _clear_redis(self) -> None:
        with suppress(redis.ConnectionError), redis.Redis.from_url(self.broker) as client:
            client.delete(self.name, *client.keys(f"{self.name}*"))


class Worker:
    """A Celery worker in a process of its own."""

    def __init__(self, site: Site, pool: str):
        self.log = site.folder / f"worker-{uuid.uuid4().hex[:6]}.log"
        names = ("--without-gossip", "--without-mingle", "-n", f"{uuid.uuid4().hex[:6]}@test")
        command = ("-A", "tests.queued_site:celery_app", "worker", "-P", pool, "-c", "4")

        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", *command, "-l", "INFO", *names],
                cwd=ROOT,
                env={**os.environ, "QUEUED_SITE": json.dumps(site.settings)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def has_logged(self, words: str, times: int = 1) -> bool:
        """Whether it has said something."""

        assert self._process.poll() is None, self.log.read_text()

        return self.log.read_text().count(words) >= times

    def leave(self) -> None:
        """Have it leave in order, which takes Celery seconds; this does not wait."""

        self._process.terminate()

    def kill(self) -> None:
        """Kill it, and what it has forked."""

        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)


if "QUEUED_SITE" in os.environ:
    celery_app = create_app(json.loads(os.environ["QUEUED_SITE"])).extensions["celery"]
