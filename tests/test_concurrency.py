"""Tasks, native threads and pulses: the same promises in threads and in greenlets."""

from __future__ import annotations

import threading

import pytest

from flask_chatstream.concurrency import NativeThread, Pulse, Tasks, is_patched, spawn
from tests.workers import run_python


def test_a_task_runs_beside_its_caller():
    done = threading.Event()
    seen = []

    def task(number, *, name):
        seen.append((number, name, threading.current_thread()))
        done.set()

    spawn(task, 7, name="seven")
    assert done.wait(5)
    assert seen[0][:2] == (7, "seven")
    assert seen[0][2] is not threading.current_thread()


def test_a_thread_does_not_keep_the_process_alive():
    source = (
        "import threading\n"
        "from flask_chatstream.concurrency import spawn\n"
        "spawn(threading.Event().wait)\n"
        "print('over')"
    )

    assert run_python(source, patched=False).strip() == "over"


def test_a_pulse_wakes_everybody_once():
    pulse = Pulse()
    marks = [pulse.mark() for _ in range(3)]

    assert marks[0] is marks[1] is marks[2]
    pulse.beat()
    assert all(mark.is_set() for mark in marks)
    assert not pulse.mark().is_set()


def test_a_beat_for_nobody_is_forgotten():
    pulse = Pulse()
    pulse.beat()

    assert not pulse.mark().is_set()


def test_a_change_between_the_look_and_the_wait_ends_the_wait():
    pulse = Pulse()
    mark = pulse.mark()
    pulse.beat()

    assert mark.wait(5)


@pytest.mark.parametrize("followers", [1, 8])
def test_no_follower_sleeps_through_the_last_change(followers):
    pulse, state = Pulse(), {"n": 0}
    rounds, over = 2_000, []

    def follow():
        seen = 0

        while seen < rounds:
            mark = pulse.mark()

            if state["n"] == seen and not mark.wait(5):
                break

            seen = state["n"]

        over.append(seen)

    threads = [threading.Thread(target=follow) for _ in range(followers)]

    for thread in threads:
        thread.start()

    for n in range(1, rounds + 1):
        state["n"] = n
        pulse.beat()

    for thread in threads:
        thread.join(20)

    assert over == [rounds] * followers


def test_tasks_are_waited_for_up_to_a_time():
    tasks, go_on, over = Tasks(), threading.Event(), []

    def work(name):
        go_on.wait(10)
        over.append(name)

    for name in "ab":
        tasks.spawn(work, name)

    tasks.join(0.01)
    assert over == []
    go_on.set()
    tasks.join(10)
    assert sorted(over) == ["a", "b"]
    tasks.join(10)


def test_a_native_thread_gives_results_and_raises_errors():
    native = NativeThread()

    def divide(a, b):
        return a / b

    assert native.run(divide, 6, b=3) == 2
    with pytest.raises(ZeroDivisionError):
        native.run(divide, 1, 0)

    native.close()


def test_without_gevent_the_callers_own_thread_does_the_work():
    if not is_patched():
        assert NativeThread().run(threading.get_ident) == threading.get_ident()


PATCHED = """
import time, gevent
from gevent import monkey
from flask_chatstream.concurrency import NativeThread, is_patched, spawn

assert is_patched()
ident = monkey.get_original("threading", "get_ident")
native, ticks = NativeThread(), []
assert native.run(ident) != ident()
block = monkey.get_original("time", "sleep")

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.005)

spawn(tick)
order = []
waiting = [gevent.spawn(native.run, lambda n=n: (block(0.1), order.append(n))) for n in range(4)]
gevent.joinall(waiting, raise_error=True)
assert order == [0, 1, 2, 3], order
print(len(ticks))
native.close()
"""


def test_with_gevent_native_code_leaves_the_event_loop_free():
    assert int(run_python(PATCHED, patched=True)) > 20


def test_half_a_patch_is_none():
    source = (
        "from gevent import monkey; monkey.patch_socket()\n"
        "from flask_chatstream.concurrency import is_patched\n"
        "print(is_patched())"
    )

    assert run_python(source, patched=False).strip() == "False"
