"""The oldest versions that ``pyproject.toml`` allows here, as requirements for pip.

What the tests themselves need comes with them in whatever version goes with these.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

TOOLS = ("pytest", "pytest-flask", "pytest-randomly", "pytest-timeout", "pytest-xdist")


def lowest(requirements: Iterable[str]) -> dict[str, Version]:
    """The highest of the lower bounds that hold for this Python, by package."""

    found: dict[str, Version] = {}

    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate():
            (bound,) = requirement.specifier
            assert bound.operator == ">=", requirement
            name = "[".join([requirement.name, *(f"{extra}]" for extra in requirement.extras)])
            found[name] = max(Version(bound.version), found.get(name, Version("0")))

    return found


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["postgres"]

    for name, version in lowest(wanted).items():
        print(f"{name}=={version}")

    print(*TOOLS, sep="\n")
