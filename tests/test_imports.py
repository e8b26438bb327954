"""Importing starts nothing, patches nothing and loads nothing that is not needed yet."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.services import ROOT

PROBE = """
import json, sys, threading
before = threading.active_count()
{imports}
from gevent import monkey
print(json.dumps({{
    "roots": sorted({{name.partition(".")[0] for name in sys.modules}}),
    "threads": threading.active_count() - before,
    "patched": monkey.is_module_patched("socket") or monkey.is_module_patched("threading"),
    "hub": getattr(sys.modules.get("gevent._hub_local"), "get_hub_if_exists", lambda: None)()
    is not None,
}}))
"""

ALL_MODULES = """
import importlib, pkgutil, flask_chatstream
for module in pkgutil.walk_packages(flask_chatstream.__path__, "flask_chatstream."):
    if not module.name.startswith(("flask_chatstream._build", "flask_chatstream.migrations")):
        importlib.import_module(module.name)
"""

SDKS = {"anthropic", "celery", "google", "httpx", "httpx2", "openai", "redis"}


def _probe(imports: str) -> dict:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE.format(imports=imports)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr

    return json.loads(result.stdout)


def test_importing_the_package_starts_nothing():
    seen = _probe("import flask_chatstream")

    assert (seen["threads"], seen["patched"], seen["hub"]) == (0, False, False)


def test_importing_the_package_loads_no_sdk_and_no_alembic():
    seen = _probe("import flask_chatstream")

    assert set(seen["roots"]) & (SDKS | {"alembic", "flask_migrate"}) == set()


def test_importing_every_module_loads_no_sdk():
    seen = _probe(ALL_MODULES)

    assert set(seen["roots"]) & SDKS == set()
    assert (seen["threads"], seen["patched"]) == (0, False)
