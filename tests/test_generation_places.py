"""Where answers run, and what is said of a process that does not fit the setting."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from flask_chatstream import ChatStream, ConfigurationError
from tests.workers import run_python

SITE = """
import sys
from flask import Flask
from flask_chatstream import ChatStream

for runner in ("auto", "gevent", "thread"):
    app = Flask("site", instance_path=sys.argv[1])
    app.config.update(SECRET_KEY="for tests only", CHATSTREAM_RUNNER=runner)
    app.register_blueprint(ChatStream())
    app.add_url_rule("/", view_func=lambda: "the site")
    client = app.test_client()
    assert client.get("/").text == "the site"
    state = app.extensions["chatstream"]
    found = state.standing.mistake or state.place.placement.runner
    print(runner, client.get("/chat/").status_code, found)
    state.close()
"""


@pytest.mark.parametrize(("patched", "kind"), [(False, "thread"), (True, "gevent")])
def test_a_runner_that_does_not_fit_the_process_is_refused(
    tmp_path: Path, patched: bool, kind: str
) -> None:
    lines = run_python(SITE, str(tmp_path), patched=patched).splitlines()
    said = dict(line.split(" ", 1) for line in lines)
    other = "thread" if kind == "gevent" else "gevent"

    assert said["auto"] == said[kind] == f"200 {kind}"
    assert said[other].startswith(f"503 CHATSTREAM_RUNNER is '{other}', and gevent has ")


def test_a_site_s_tests_run_in_any_process(tmp_path: Path) -> None:
    app = Flask("site", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="for tests only", CHATSTREAM_RUNNER="gevent")
    app.register_blueprint(ChatStream())

    try:
        assert app.test_client().get("/chat/").status_code == 200
    except ConfigurationError as error:
        pytest.fail(str(error))
    finally:
        app.extensions["chatstream"].close()
