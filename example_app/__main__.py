"""`python -m example_app`: the shop on gevent's own server."""

from gevent import monkey

monkey.patch_all()

from .server import main

main()
