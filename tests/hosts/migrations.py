"""A host's own migrations, made on the fly: with Flask-Migrate, or with Flask-Alembic."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Protocol

from alembic.autogenerate import render_python_code
from alembic.operations.ops import UpgradeOps
from alembic.script import ScriptDirectory

from tests.hosts.site import Site


class Migrations(Protocol):
    """What a site's developer does."""

    def propose(self) -> list[str]:
        """The operations that autogenerate would write down now."""

    def write(self) -> None:
        """Autogenerate a revision."""

    def upgrade(self) -> None:
        """Upgrade the site's tables."""

    def downgrade(self) -> None:
        """Downgrade them to nothing."""

    def heads(self) -> list[str]:
        """The heads of the site's history."""


class FlaskMigrate:
    """``flask db``, by its commands."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._folder = Path(site.deployment.migrations)

        if self._folder.exists():
            return

        self._run("init", *site.kind.init)
        env = self._folder / "env.py"
        source, configures = env.read_text(), "fileConfig(config.config_file_name)"
        assert configures in source
        # It would silence the loggers of the tests' own process.
        env.write_text(source.replace(configures, ""))

    def propose(self) -> list[str]:
        before = self._files()
        self._run("migrate", "-m", "probe")
        operations = []

        for path in self._files() - before:
            for function in path.read_text().split("\ndef ")[1:]:  # one for each bind
                if function.startswith("upgrade"):
                    operations += [line.strip() for line in function.splitlines() if "op." in line]

            path.unlink()

        return operations

    def _run(self, *arguments: str) -> None:
        with warnings.catch_warnings():
            # Its env.py tries what older versions of Flask-SQLAlchemy have first.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._site.run("db", *arguments)

    def _files(self) -> set[Path]:
        return set(self._folder.glob("versions/*.py"))

    def write(self) -> None:
        self._run("migrate", "-m", "first")

    def upgrade(self) -> None:
        self._run("upgrade")

    def downgrade(self) -> None:
        self._run("downgrade", "base")

    def heads(self) -> list[str]:
        return list(ScriptDirectory(str(self._folder)).get_heads())


class FlaskAlembic:
    """Flask-Alembic's object, which needs an app context."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._alembic = site.app.extensions["alembic"]

    def propose(self) -> list[str]:
        with self._site.app.app_context():
            script = self._alembic.produce_migrations()

            return _operations(script.upgrade_ops)

    def write(self) -> None:
        with self._site.app.app_context():
            self._alembic.revision("first")

    def upgrade(self) -> None:
        with self._site.app.app_context():
            self._alembic.upgrade()

    def downgrade(self) -> None:
        with self._site.app.app_context():
            self._alembic.downgrade("base")

    def heads(self) -> list[str]:
        with self._site.app.app_context():
            return [script.revision for script in self._alembic.heads()]


def _operations(ops: UpgradeOps) -> list[str]:
    return [line for line in render_python_code(ops).splitlines() if "op." in line]


def start_migrations(site: Site) -> Migrations:
    """The site's history, empty at first, by whichever extension it has."""

    return FlaskMigrate(site) if "migrate" in site.app.extensions else FlaskAlembic(site)
