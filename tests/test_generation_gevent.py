"""The same engine in greenlets: the tests that wait and wake, in a process that gevent patched."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.services import ROOT

SOURCE = """
from gevent import monkey
monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
#: Whole modules, and tests of modules of which the others say nothing about greenlets.
TESTS = {
    "journal": ("storage_writer.py", "generation_journal.py", "generation_waking.py"),
    "stops": ("generation_cancel.py", "following_follow.py"),
    "single": (
        "storage_database.py::test_a_lock_of_another_process_is_waited_for_and_stalls_nobody",
        "storage_database.py::test_writes_from_many_threads_all_arrive",
        "storage_database.py::test_a_write_reads_nothing_stale_on_sqlite",
        "conversations_asking.py::test_one_submit_twenty_times_at_once_makes_one_pair",
        "conversations_texts.py::test_text_read_while_it_is_written_and_folded_only_grows",
        "generation_runner.py::test_any_failure_ends_it_as_internal",
        "providers_openai_chat.py::test_time_limits",
        "lifecycle_sweep.py::test_many_sweepers_make_one_end",
        "lifecycle_sweep.py::test_the_background_work_keeps_the_living_alive",
    ),
}


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.timeout(240)
@pytest.mark.parametrize("names", TESTS.values(), ids=TESTS)
def test_the_engine_works_in_greenlets(names):
    # MariaDB's driver waits by the sockets that PostgreSQL's tests show to be cooperative.
    options = ("-q", "-p", "no:cacheprovider", "--timeout", "60", "-k", "not mariadb")
    done = subprocess.run(
        [sys.executable, "-c", SOURCE, *options, *(f"tests/test_{name}" for name in names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=220,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
