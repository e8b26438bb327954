"""The sites that the chat has to be at home in.

Each module with a row in `matrix.HOSTS` is a small real site, as people write them. It is imported
anew for every test, while `deployment.deployed()` gives it what a server would: a folder, a
database, and whether it has its two lines. ``tests/test_hosts.py`` asks the same of all of them.

To add a host:

1. Write ``tests/hosts/<name>.py``: a module-level ``app``, or ``create_app(deployment)``. Register
   ``deployment.chat`` where such a site would, unless it is None: then the site is looked at
   without the chat. Take the database from ``deployment.url`` and keep files in
   ``deployment.folder``. A site with tables has ``make_row()``, which gives a new row of its own,
   and, when it is not Flask-SQLAlchemy that makes them, ``create_tables()``.
2. Give it a row in `matrix.HOSTS`: its databases, the requests to its own pages and the forms
   sent to it that the chat may not change, who migrates it, and what it needs to be built at all.
3. A client that must do something first (sign in, fetch a token) comes from
   ``make_client(app)`` in the module, and headers that its forms need from ``headers(client)``.
4. What only this host can show is a test in ``tests/test_hosts_<name>.py`` with `open_site`.

`scripted` is something else: a bare app for the tests of the views.
"""

from .scripted import (
    API,
    HTML,
    HTMX,
    SSE,
    Host,
    ask_in,
    begin,
    chat,
    content,
    event_json,
    events_of,
    open_host,
    serve,
    together,
)

__all__ = [
    "API",
    "HTML",
    "HTMX",
    "SSE",
    "Host",
    "ask_in",
    "begin",
    "chat",
    "content",
    "event_json",
    "events_of",
    "open_host",
    "serve",
    "together",
]
