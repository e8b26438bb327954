"""What is installed is what is in the tree: a wheel, built by way of the sdist, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.once import common_folder, only_one
from tests.services import ROOT, missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOT_SOURCE = shutil.ignore_patterns(
    ".*_cache", ".git", ".hypothesis", ".venv", ".venv-lowest", "__pycache__", "*.egg-info",
    "build", "dist", "instance", "node_modules", "site", "vendor",
)  # fmt: skip

PIP = (sys.executable, "-m", "pip")
CACHE = r"\..+_cache|__pycache__"

#: Signs of a machine without a way to the package index or to npm's registry.
OFFLINE = re.compile(r"Failed to establish|ConnectionError|Temporary failure|ENOTFOUND|EAI_AGAIN")

RENDER = """
from pathlib import Path
import flask_chatstream
from flask import Flask
from flask_chatstream import chatstream

assert Path(flask_chatstream.__file__).is_relative_to({venv!r}), flask_chatstream.__file__
app = Flask("host", instance_path={instance!r})
app.config.update(TESTING=True, SECRET_KEY="for tests only")
app.register_blueprint(chatstream)
client = app.test_client()
page = client.get("/chat/")
assert page.status_code == 200, page.text
assert "cs-composer" in page.text, page.text
page = client.get("/chat/", headers={{"Accept-Language": "de"}})
assert "Womit kann ich helfen?" in page.text, page.text
for name in {static!r}:
    assert client.get("/chat/chatstream-static/" + name).status_code == 200, name
"""


@pytest.fixture(scope="module")
def sdist(shared: Path) -> Path:
    """Built from a copy that has no vendored file, as in a fresh clone."""

    with only_one(shared):
        return _find(shared, "*.tar.gz") or _build_sdist(shared)


@pytest.fixture(scope="module")
def wheel(sdist: Path, shared: Path) -> Path:
    """Built from the sdist, in pip's isolation: npm comes from the build requirement."""

    with only_one(shared):
        return _find(shared, "*.whl") or _build_wheel(sdist, shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is built once for all processes of a run."""

    return common_folder(tmp_path_factory, "packages")


def test_the_wheel_has_every_file_of_the_tree(wheel):
    names = {name for name in _names(wheel) if not re.match(r"[^/]+\.dist-info/", name)}

    assert names == _source_files() | _vendored_files() | _compiled_files()


def test_the_wheel_has_the_kinds_of_files_that_get_lost(wheel):
    names = _names(wheel)

    for pattern in (r"py\.typed", r"templates/.+\.html", r"static/.+\.css", r"migrations/.+\.py"):
        assert any(re.fullmatch(f"flask_chatstream/{pattern}", name) for name in names), pattern


def test_the_sdist_has_what_is_needed_to_work_on_it(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"Makefile", "package-lock.json", "tests/conftest.py", "docs/states.md"} <= names
    assert not any("vendor" in Path(name).parts or name.endswith(".mo") for name in names)


def test_the_installed_wheel_renders_a_page(wheel, tmp_path):
    python = _make_venv(tmp_path / "venv")
    _run([*PIP, "--python", python, "install", "--quiet", wheel], cwd=tmp_path)
    code = RENDER.format(
        venv=str(tmp_path / "venv"),
        instance=str(tmp_path / "instance"),
        static=sorted(name.partition("/static/")[2] for name in _vendored_files()),
    )

    _run([python, "-W", "error", "-c", code], cwd=tmp_path)


def test_the_lock_file_names_no_registry():
    lock = (ROOT / "package-lock.json").read_text(encoding="utf-8")

    assert "resolved" not in lock
    assert "://" not in lock


def _find(shared: Path, pattern: str) -> Path | None:
    return next(shared.glob(pattern), None)


def _build_sdist(shared: Path) -> Path:
    tree = shared / "tree"
    shutil.copytree(ROOT, tree, ignore=NOT_SOURCE, dirs_exist_ok=True)
    code = f"from setuptools.build_meta import build_sdist; print(build_sdist({str(shared)!r}))"
    _run([sys.executable, "-c", code], cwd=tree)

    return next(shared.glob("*.tar.gz"))


def _build_wheel(sdist: Path, shared: Path) -> Path:
    _run([*PIP, "wheel", "--no-deps", "--wheel-dir", shared, sdist], cwd=shared)

    return next(shared.glob("*.whl"))


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _source_files() -> set[str]:
    package = ROOT / "flask_chatstream"
    files = (path.relative_to(ROOT) for path in package.rglob("*") if path.is_file())

    return {
        path.as_posix()
        for path in files
        if path.suffix != ".mo"
        and not any(part == "vendor" or re.fullmatch(CACHE, part) for part in path.parts)
    }


def _vendored_files() -> set[str]:
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    stem = f"flask_chatstream/static/vendor/htmx-{pinned['htmx.org']}"

    return {f"{stem}.min.js", f"{stem}.LICENSE.txt"}


def _compiled_files() -> set[str]:
    return {
        path.with_suffix(".mo").relative_to(ROOT).as_posix()
        for path in (ROOT / "flask_chatstream" / "translations").rglob("*.po")
    }


def _make_venv(directory: Path) -> Path:
    venv.create(directory, with_pip=False)

    return directory / "bin" / "python"


def _run(command: Sequence[str | Path], cwd: Path) -> None:
    # Nothing of what is installed is run more than once. An index is trusted as everywhere else.
    environment = {**os.environ, "PIP_COMPILE": "0"}
    environment.pop("SSL_CERT_FILE", None)
    result = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    if result.returncode and OFFLINE.search(result.stdout):
        missing("the package index or npm's registry", "it cannot be reached")

    assert result.returncode == 0, result.stdout
