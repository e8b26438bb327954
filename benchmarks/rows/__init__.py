"""The rows of the table, in its order; each is a command of `python -m benchmarks`."""

from benchmarks.row import Row

from . import (
    browser,
    cpu,
    growth,
    lag,
    latency,
    memory,
    pages,
    refresh,
    soak,
    stopping,
    switch,
    throughput,
    viewers,
    written,
)

MODULES = (
    cpu,
    throughput,
    latency,
    refresh,
    written,
    viewers,
    pages,
    browser,
    memory,
    switch,
    stopping,
    lag,
    growth,
    soak,
)
ROWS: dict[str, Row] = {module.ROW.name: module.ROW for module in MODULES}
