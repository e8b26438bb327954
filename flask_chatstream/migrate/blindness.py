"""A host's autogenerate does not see our tables, whatever its env.py says.

Not in the database, and not in a metadata that the host reflected from it. Hosts' env.py
files ignore Flask-Migrate's ``configure_args`` or pass the same argument themselves, so this goes
through Alembic's public registry of comparators.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from .version import VERSION_TABLE, our_tables

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation, UpgradeOps


def hide_from_autogenerate() -> None:
    """Make a host's ``flask db migrate`` blind to exactly our tables.

    Does nothing before Alembic is imported, and nothing the second time; meant for every app
    context.
    """

    if "alembic" in sys.modules:
        _register()


@cache
def _register() -> None:
    from alembic.autogenerate import comparators

    # With a qualifier, Alembic before 1.18 would drop its own comparison for that dialect.
    try:
        from alembic.util import DispatchPriority
    except ImportError:
        comparators.dispatch_for("schema")(_prune)
        return

    comparators.dispatch_for("schema", priority=DispatchPriority.FIRST)(_hide)
    comparators.dispatch_for("schema", priority=DispatchPriority.LAST)(_prune)


def _hide(context: AutogenContext, upgrade_ops: UpgradeOps, schemas: set[str | None]) -> None:
    # Alembic's own names; without them our tables are only named in the log, then pruned.
    if _is_foreign(context):
        getattr(context, "_name_filters", []).append(_is_not_ours)
        getattr(context, "_object_filters", []).append(_is_no_object_of_ours)


def _prune(context: AutogenContext, upgrade_ops: UpgradeOps, schemas: set[str | None]) -> None:
    if _is_foreign(context):
        upgrade_ops.ops[:] = [op for op in upgrade_ops.ops if not _touches_ours(op)]


def _is_foreign(context: AutogenContext) -> bool:
    return bool(context.migration_context.version_table != VERSION_TABLE)


def _is_not_ours(name: str | None, kind: str, parents: Any) -> bool:
    return kind != "table" or name not in our_tables()


def _is_no_object_of_ours(item: Any, name: str | None, kind: str, *_: Any) -> bool:
    return _is_not_ours(name, kind, None)


def _touches_ours(op: MigrateOperation) -> bool:
    from alembic.operations.ops import CreateTableOp, DropTableOp, ModifyTableOps

    kinds = CreateTableOp | DropTableOp | ModifyTableOps

    return isinstance(op, kinds) and op.table_name in our_tables()
