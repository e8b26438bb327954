"""A site for the fault tests; its settings come from ``FAULTS`` in the environment, as JSON."""

# gevent patches the process before anything else is imported.
# ruff: noqa: E402

from __future__ import annotations

import json
import os

SETTINGS = json.loads(os.environ["FAULTS"])

if SETTINGS["server"] in ("gevent", "own"):
    from gevent import monkey

    monkey.patch_all()

if SETTINGS["ahead"]:
    from tests.faults.ahead import put_ahead

    put_ahead(SETTINGS["ahead"])

if SETTINGS["disk"]:
    from tests.faults.disk import Disk

    Disk(SETTINGS["disk"]).put_under_sqlite()

import gc
import threading
from typing import Any

import psutil
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from greenlet import greenlet

from flask_chatstream import ChatStream, signals
from flask_chatstream.concurrency import is_patched

ENDED: list[str] = []


def create_app() -> Flask:
    """The site: owners by header, the database as told, answers from the model server."""

    app = Flask("faults", instance_path=SETTINGS["folder"])
    app.config.update(SECRET_KEY="for tests only", **SETTINGS["config"])
    chat = ChatStream()
    chat.owner_loader(lambda: request.headers.get("X-Owner"))
    app.register_blueprint(chat)
    app.after_request(sign)
    app.add_url_rule("/inside", view_func=inside)
    app.add_url_rule("/alive", "alive", lambda: "")
    app.add_url_rule("/ended", "ended", lambda: jsonify(ENDED))
    signals.generation_finished.connect(note)
    signals.generation_failed.connect(note)

    if SETTINGS["database"]:
        app.config["SQLALCHEMY_DATABASE_URI"] = SETTINGS["database"]
        SQLAlchemy().init_app(app)

    return app


def note(sender: Flask, **values: Any) -> None:
    """Remember an end that this worker made."""

    ENDED.append(str(values["message_id"]))


def sign(response: Response) -> Response:
    """Say which worker answers."""

    response.headers["X-Pid"] = str(os.getpid())

    return response


def inside() -> ResponseReturnValue:
    """What this worker holds just now."""

    gc.collect()
    state = app.extensions["chatstream"]
    greenlets = sum(isinstance(thing, greenlet) for thing in gc.get_objects())

    return jsonify(
        pid=os.getpid(),
        patched=is_patched(),
        files=psutil.Process().num_fds(),
        threads=sum(_is_ours(thread) for thread in threading.enumerate()),
        greenlets=greenlets,
        running=len(state.runtime.running()),
        streams=state.runtime.seats.taken,
        watched=len(state.runtime.follow.topics()),
        pooled=state.database.engine.pool.checkedout(),
    )


def _is_ours(thread: threading.Thread) -> bool:
    """Whether a thread is none of the server's own pool, which grows with the load."""

    return not thread.name.startswith("ThreadPoolExecutor")


app = create_app()
