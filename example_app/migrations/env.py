"""Flask-Migrate's environment; without its ``fileConfig``, which would replace the app's logging
in the process that serves the shop."""

from __future__ import annotations

import logging
from typing import Any

from alembic import context
from flask import current_app

config = context.config
logger = logging.getLogger("alembic.env")
migrate = current_app.extensions["migrate"]
engine = migrate.db.engine
metadata = migrate.db.metadatas[None]


def run_offline() -> None:
    """Write the SQL, for ``flask db upgrade --sql``."""

    context.configure(url=engine.url, target_metadata=metadata, literal_binds=True)

    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Change the database."""

    options = {"process_revision_directives": drop_empty_revision, **migrate.configure_args}

    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, **options)

        with context.begin_transaction():
            context.run_migrations()


def drop_empty_revision(context: Any, revision: Any, directives: list[Any]) -> None:
    """Let ``flask db migrate`` write no file when nothing has changed."""

    is_automatic = getattr(config.cmd_opts, "autogenerate", False)

    if is_automatic and directives[0].upgrade_ops.is_empty():
        directives[:] = []
        logger.info("No changes in schema detected.")


if context.is_offline_mode():
    run_offline()
else:
    run_online()
