"""Where the package's rows are: which engine, short reads, and the writer.

`Database` is the door. Reads are short sessions on the host's engine. Writes are functions of a
connection that run in one transaction: on SQLite as jobs of the one `Writer` of this process and
engine, elsewhere in the caller (``docs/states.md``, section 3).
"""

from .arrays import int_array, text_array
from .clock import clock, moment_in, moments, now
from .database import Database
from .drivers import find_blocking
from .engine import embedded_engine, temporary_engine
from .rounds import Task, commit_level, transaction
from .writer import Writer

__all__ = [
    "Database",
    "Task",
    "Writer",
    "clock",
    "commit_level",
    "embedded_engine",
    "find_blocking",
    "int_array",
    "moment_in",
    "moments",
    "now",
    "temporary_engine",
    "text_array",
    "transaction",
]
