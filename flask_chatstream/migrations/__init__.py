"""Our own Alembic environment; `flask_chatstream.migrate` runs it, never a host's ``flask db``.

A new revision is a file in ``versions`` named after its number, with its id added to ``REVISIONS``
in ``migrate/version.py``. It spells out names and types and imports none of our classes, so that
it says the same for ever. MariaDB commits after every statement: a revision does one thing, and
drops tables rather than the indexes that their foreign keys need.
"""
