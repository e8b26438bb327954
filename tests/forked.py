"""Python programs that need no start: forks of one process that has the package imported.

A fresh interpreter takes a second for its imports, which is most of what a short program costs. A
program that patches its process, or looks at what is imported, needs `tests.workers.run_python`.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NoReturn

from tests.services import ROOT

START = "from tests.forked import serve; serve()"
#: What most programs import anyway.
COMMON = "alembic.command flask.cli flask_chatstream.migrate.runner flask_chatstream.testing"


def run_forked(
    *arguments: str,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    timeout: int = 60,
    count: int = 1,
    strict: bool = False,
) -> list[str]:
    """What each of ``count`` programs that start together wrote, if it failed.

    ``arguments`` are the interpreter's: ``-c source ...`` or ``-m module ...``. ``strict`` makes
    an error of every warning.
    """

    with TemporaryDirectory() as outputs:
        paths = [str(Path(outputs) / str(number)) for number in range(count)]
        program = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": dict(environment or os.environ),
            "outputs": paths,
            "timeout": timeout,
            "strict": strict,
        }
        codes = _ask(_server(), program)
        written = [Path(path).read_text() for path in paths]

    return [f"{text}exit code {code}" for text, code in zip(written, codes, strict=True) if code]


@cache
def _server() -> subprocess.Popen[str]:
    """The process that is forked, one for all tests of this process."""

    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=pipe,
        stdout=pipe,
        text=True,
    )
    atexit.register(process.communicate)

    return process


def _ask(server: subprocess.Popen[str], program: Mapping[str, Any]) -> list[int]:
    assert server.stdin is not None
    assert server.stdout is not None

    try:
        server.stdin.write(json.dumps(program) + "\n")
        server.stdin.flush()
        codes: list[int] = json.loads(server.stdout.readline())
    except BaseException:
        # The answer to a test that is out of time must not be the next one's.
        server.kill()
        _server.cache_clear()
        raise

    return codes


def serve() -> None:
    """Fork for every line of stdin, until there is none; in a fork, be the program."""

    for name in COMMON.split():
        __import__(name)

    for line in sys.stdin:
        program = json.loads(line)
        waiting, go = os.pipe()
        pids = []

        for output in program["outputs"]:
            if not (pid := os.fork()):
                os.close(go)
                os.read(waiting, 1)
                _be(program, output)

            pids.append(pid)

        os.close(waiting)
        os.close(go)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(codes), flush=True)


def _be(program: Mapping[str, Any], output: str) -> NoReturn:
    """Be the program to its end.

    It ends as an interpreter does, but for taking all modules apart, which a fork pays dearly: it
    shares their memory.
    """

    _redirect(output)
    code = _code_of(program)

    # What an interpreter does first when it ends, in this order.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _code_of(program: Mapping[str, Any]) -> int:
    try:
        _run(program)
    except SystemExit as exit:
        if exit.code is None or isinstance(exit.code, int):
            return exit.code or 0

        print(exit.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    else:
        return 0

    return 1


def _run(program: Mapping[str, Any]) -> None:
    os.chdir(program["folder"])
    os.environ.clear()
    os.environ.update(program["environment"])
    signal.alarm(program["timeout"])

    if program["strict"]:
        warnings.simplefilter("error")

    kind, what, *arguments = program["arguments"]
    sys.path[0] = ""
    sys.argv = [kind, *arguments]

    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return

    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(what, "<string>", "exec"), vars(main))


def _redirect(output: str) -> None:
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT)

    for target, source in enumerate((nothing, written, written)):
        os.dup2(source, target)
