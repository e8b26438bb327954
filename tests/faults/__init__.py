"""Real servers that are killed, viewers who log every byte, and the ten checks afterwards.

`rig` starts the servers of one cell (a database and a kind of worker), `host` is the site they
serve, `model` the model server behind it. `viewers` follow like browsers and log what they get,
`evidence` reads the database and the model server's ledger, `checker` compares the two.
"""
