"""What Alembic executes for a command; everything comes from `flask_chatstream.migrate`.

It reads no ini file and never calls ``fileConfig``, which would silence the host's loggers.
"""

from alembic import context

context.configure(**context.config.attributes["configure"])

with context.begin_transaction():
    context.run_migrations()
