"""The shop for a WSGI server: ``gunicorn -k gevent example_app.wsgi:app``, or ``-k gthread``."""

import sys

# gunicorn's gevent worker patches before it loads this file; with --preload nobody has. Patching
# under any other worker would take its threads away.
if "gunicorn.workers.ggevent" in sys.modules:
    from gevent import monkey

    monkey.patch_all()

from . import create_app

app = create_app()
