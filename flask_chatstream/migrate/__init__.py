"""Our tables in a database: made, moved between revisions, checked, and kept out of a host's way.

Everything takes an engine and knows no Flask. Alembic is imported only when there is something to
migrate; asking whether the tables are current costs one SELECT. Two processes never migrate one
database at once, and Alembic never runs twice at once in a process.
"""

from .blindness import hide_from_autogenerate
from .host import cover_host_metadata
from .runner import OnStep, downgrade, ensure, stamp, upgrade
from .version import (
    VERSION_TABLE,
    check,
    check_tables,
    current,
    head,
    is_current,
    our_tables,
    refuse_newer,
)

__all__ = [
    "VERSION_TABLE",
    "OnStep",
    "check",
    "check_tables",
    "cover_host_metadata",
    "current",
    "downgrade",
    "ensure",
    "head",
    "hide_from_autogenerate",
    "is_current",
    "our_tables",
    "refuse_newer",
    "stamp",
    "upgrade",
]
