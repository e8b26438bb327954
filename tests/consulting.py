"""``flask chatstream doctor`` as a test runs it, and what it has found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from flask_chatstream.doctor import Finding
from tests.services import ROOT


@dataclass(frozen=True)
class Report:
    """What was found: by the check's name, in order."""

    code: int
    findings: list[tuple[str, Finding]]
    output: str

    def of(self, check: str) -> list[Finding]:
        """What a check has found."""

        return [finding for name, finding in self.findings if name == check]

    def levels(self, check: str) -> set[str]:
        """The levels of what a check has found."""

        return {finding.level for finding in self.of(check)}

    def find(self, words: str) -> Finding:
        """The one finding that says so."""

        found = [finding for _, finding in self.findings if words in finding.what]
        assert len(found) == 1, (words, self.output)

        return found[0]

    def bad(self) -> list[str]:
        """Every warning and failure, in its own words."""

        return [f.what for _, f in self.findings if f.level in ("warning", "failure")]


def consult(app: Flask, *arguments: str) -> Report:
    """The command in this process."""

    done = app.test_cli_runner().invoke(args=["chatstream", "doctor", "--json", *arguments])

    return _read(done.exit_code, done.stdout, done.output)


def consult_site(site: str, environment: Mapping[str, str], *arguments: str) -> Report:
    """The command in a process of its own, as who runs the site runs it."""

    command = [sys.executable, "-m", "flask", "--app", site, "chatstream", "doctor", "--json"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=90,
    )

    return _read(done.returncode, done.stdout, done.stdout + done.stderr)


def _read(code: int, text: str, output: str) -> Report:
    assert text.startswith("{"), output
    value: dict[str, Any] = json.loads(text)
    findings = [(f.pop("check"), Finding(**f)) for f in value["findings"]]
    assert value["ok"] == (code == 0), output

    return Report(code, findings, output)
