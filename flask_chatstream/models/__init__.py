"""The tables, as typed SQLAlchemy 2 classes on a declarative base of our own.

They never derive from a host's ``db.Model``: a host's base class, schema, naming convention or a
class of the same name would break them. A host uses them through its own ``db.session`` all the
same, because the engine is shared. All names are explicit and all types are stock, so that a
migration says the same on SQLite, PostgreSQL and MariaDB. What a column means for the engine is
in ``docs/states.md``.
"""

from .base import Base, UTCDateTime, new_id
from .conversation import Conversation, Folder, Share, Tag
from .generation import ACTIVE, Generation, Submission
from .journal import is_appended, journal_for, metadata_for
from .message import Message, Reaction
from .revocation import Revocation
from .visitor import Visitor

__all__ = [
    "ACTIVE",
    "Base",
    "Conversation",
    "Folder",
    "Generation",
    "Message",
    "Reaction",
    "Revocation",
    "Share",
    "Submission",
    "Tag",
    "UTCDateTime",
    "Visitor",
    "is_appended",
    "journal_for",
    "metadata_for",
    "new_id",
]
