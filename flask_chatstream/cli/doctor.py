"""``flask chatstream doctor``: is this deployment well?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import with_appcontext

from flask_chatstream.doctor import LEVELS, Finding, Level, find_keys
from flask_chatstream.state import get_state

from .reporting import reported

if TYPE_CHECKING:
    from flask_chatstream.doctor.check import Check

COLOURS = {"ok": "green", "skipped": "blue", "warning": "yellow", "failure": "red"}


@click.command()
@click.option("--url", metavar="URL", help="The public address of the chat: ask the running site.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, when all is done.")
@with_appcontext
def doctor(url: str | None, as_json: bool) -> None:
    """Look whether this deployment is well; change nothing.

    Run it as the workers run: with their environment, settings and instance folder. Exits with 0
    when nothing is broken, warnings allowed, else with 1.
    """

    # It brings a client for HTTP, which takes a second that no other command needs.
    from flask_chatstream.doctor.examination import list_checks

    with reported():
        checks = list_checks(get_state(), find_keys(current_app.config), url)
        done = list(_run(checks) if as_json else _told(checks))

    levels = [finding.level for check in done for finding in check.findings]
    click.echo(_as_json(done) if as_json else _in_sum(levels))

    if "failure" in levels:
        raise SystemExit(1)


def _run(checks: Iterator[Check]) -> Iterator[Check]:
    """Each check, run."""

    for check in checks:
        check.run()
        yield check


def _told(checks: Iterator[Check]) -> Iterator[Check]:
    """Each check, run and told as it goes."""

    for check in checks:
        click.echo(f"{check.name} … ", nl=False)
        check.run()
        click.echo(_coloured(check.level))

        for finding in check.findings:
            _tell(finding)

        yield check


def _tell(finding: Finding) -> None:
    is_plain = finding.level in ("ok", "skipped")
    mark = "" if is_plain else f"{_coloured(finding.level)}: "
    click.echo(f"    {mark}{finding.what}")

    if finding.help is not None:
        click.echo(f"        {finding.help}")


def _coloured(level: Level) -> str:
    return click.style(level, fg=COLOURS[level])


def _in_sum(levels: list[Level]) -> str:
    broken, warned = levels.count("failure"), levels.count("warning")
    verdict = f"{broken} broken" if broken else "Nothing is broken"
    rest = f", {warned} warning{'s' if warned > 1 else ''}" if warned else ""

    return f"\n{verdict}{rest}."


def _as_json(checks: list[Check]) -> str:
    findings: list[dict[str, Any]] = [
        {"check": check.name, "level": f.level, "what": f.what, "help": f.help}
        for check in checks
        for f in check.findings
    ]
    worst = max((f["level"] for f in findings), key=LEVELS.index)

    return json.dumps({"ok": worst != "failure", "findings": findings}, indent=2)
